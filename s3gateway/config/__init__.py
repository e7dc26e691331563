# SPDX-License-Identifier: Apache-2.0
"""What is configured: options as they are declared, settings as they are used."""
