# SPDX-License-Identifier: Apache-2.0
"""A directory with pieces of hot images, which all workers of a host share."""
