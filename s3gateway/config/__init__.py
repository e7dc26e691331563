# SPDX-License-Identifier: Apache-2.0
"""Configuration: declares the options, reads them into settings."""
