# SPDX-License-Identifier: Apache-2.0
"""Do the packages and the image build, install and run where nothing else is?"""
