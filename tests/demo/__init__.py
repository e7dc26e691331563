# SPDX-License-Identifier: Apache-2.0
"""``make demo``: the main job with the real clients, step by step."""
