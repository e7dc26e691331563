# SPDX-License-Identifier: Apache-2.0
"""Location URIs: which may be written, and what is shown of them."""
