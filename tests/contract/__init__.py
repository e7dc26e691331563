# SPDX-License-Identifier: Apache-2.0
"""Does each S3 server, and the store in memory, do what the gateway asks of it?"""
