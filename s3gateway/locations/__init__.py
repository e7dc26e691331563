# SPDX-License-Identifier: Apache-2.0
"""Location URIs: refuses writes, masks answers."""
