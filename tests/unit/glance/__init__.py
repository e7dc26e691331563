# SPDX-License-Identifier: Apache-2.0
"""Do requests to Glance, and the reading of its answers, follow its API?"""
