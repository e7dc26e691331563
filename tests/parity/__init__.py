# SPDX-License-Identifier: Apache-2.0
"""Stock Glance and Glance with the gateway, asked the same: the parity table.

``rows`` says what is asked, ``record`` keeps what was answered, ``compare`` finds
what differs and ``allowed`` names every difference that is meant, with its reason.
"""
