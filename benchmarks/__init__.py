# SPDX-License-Identifier: Apache-2.0
"""Stock Glance and the gateway, measured side by side; ``make bench`` runs it."""
