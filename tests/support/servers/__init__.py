# SPDX-License-Identifier: Apache-2.0
"""Real servers, their environments and databases: started, and stopped by their pid."""
