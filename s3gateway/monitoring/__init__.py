# SPDX-License-Identifier: Apache-2.0
"""What is counted and logged of the work."""
