# SPDX-License-Identifier: Apache-2.0
"""Do the operator's commands say what they found?"""
