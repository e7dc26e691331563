# SPDX-License-Identifier: Apache-2.0
"""Do requests to S3 follow its API?"""
