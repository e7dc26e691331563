# SPDX-License-Identifier: Apache-2.0
"""Does each command of s3gateway-manage find, say and mend what it should?"""
