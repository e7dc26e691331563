# SPDX-License-Identifier: Apache-2.0
"""Glance: its API, its own code, its policy, its notifications."""
