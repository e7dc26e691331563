# SPDX-License-Identifier: Apache-2.0
"""What tests, demo and benchmarks stand on: real servers, started and stopped."""
