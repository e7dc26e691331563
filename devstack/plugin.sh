#!/bin/bash
#
# **devstack/plugin.sh**: DevStack calls it in each phase.  What the phases do is
# in lib/s3gateway, the S3 servers are in lib/s3servers.

# Keys are handled here: keep them out of DevStack's trace.
_XTRACE_S3GATEWAY=$(set +o | grep xtrace)
set +o xtrace

S3GATEWAY_PLUGIN_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
S3GATEWAY_DIR=$(dirname "$S3GATEWAY_PLUGIN_DIR")

# shellcheck source=devstack/lib/checks
source "$S3GATEWAY_PLUGIN_DIR/lib/checks"
# shellcheck source=devstack/lib/ini
source "$S3GATEWAY_PLUGIN_DIR/lib/ini"
# shellcheck source=devstack/lib/s3servers
source "$S3GATEWAY_PLUGIN_DIR/lib/s3servers"
# shellcheck source=devstack/lib/s3gateway
source "$S3GATEWAY_PLUGIN_DIR/lib/s3gateway"
# shellcheck source=devstack/lib/standalone
source "$S3GATEWAY_PLUGIN_DIR/lib/standalone"
# shellcheck source=devstack/lib/sealed
source "$S3GATEWAY_PLUGIN_DIR/lib/sealed"

if is_service_enabled g-api; then
    case "$1 ${2:-}" in
        "stack pre-install")
            check_s3gateway_settings
            ;;
        "stack install")
            echo_summary "Installing s3gateway"
            install_s3gateway
            ;;
        "stack post-config")
            echo_summary "Configuring s3gateway"
            configure_s3gateway
            start_s3gateway
            ;;
        "stack extra")
            echo_summary "Checking an image through s3gateway"
            check_s3gateway
            ;;
        "stack test-config")
            configure_s3gateway_tempest
            ;;
        "unstack ")
            stop_s3gateway
            unconfigure_s3gateway
            ;;
        "clean ")
            cleanup_s3gateway
            ;;
    esac
fi

$_XTRACE_S3GATEWAY
