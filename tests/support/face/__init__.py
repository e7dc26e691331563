# SPDX-License-Identifier: Apache-2.0
"""Faces of sealed gateways, and Glance's own driver in front of them."""
