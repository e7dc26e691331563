# SPDX-License-Identifier: Apache-2.0
"""Everything that is asked of Glance, and what it answers."""
