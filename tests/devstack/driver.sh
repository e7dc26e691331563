#!/bin/bash
#
# driver.sh STEP...: calls the plugin as stack.sh, unstack.sh and clean.sh do, with
# everything read anew, with errexit, an ERR trap and a trace.  A step is a phase,
# or "glance" for what stack.sh does with Glance between install phases, or
# "call FUNCTION ARGUMENT...".
#
# From the environment: HERE, the directory to work in; PLUGIN, the plugin's
# repository; DEVSTACK_DIR, a DevStack tree, without which standin.sh replaces it.

# shellcheck disable=SC2034  # DevStack and the plugin read the variables
# shellcheck disable=SC1091  # what is sourced is not here

TOP_DIR=$HERE/devstack
DEST=$HERE/opt
DATA_DIR=$DEST/data
FILES=$HERE/files
RC_DIR=$TOP_DIR
STACK_USER=$(id -un)
GLANCE_CONF_DIR=$HERE/etc/glance
S3GATEWAY_CONF_DIR=$HERE/etc/s3gateway
APACHE_CONF_DIR=$HERE/etc/apache2
SYSTEMD_DIR=$HERE/etc/systemd
SYSTEMCTL=$HERE/bin/systemctl
SERVICE_HOST=127.0.0.1
SERVICE_LOCAL_HOST=127.0.0.1
SERVICE_LISTEN_ADDRESS=127.0.0.1
SERVICE_PROTOCOL=http
SERVICE_DOMAIN_NAME=Default
SERVICE_PROJECT_NAME=service
SERVICE_TIMEOUT=20
REGION_NAME=RegionOne
GLOBAL_VENV=True
DEVSTACK_VENV=$HERE/venv
API_WORKERS=1
WORKER_TIMEOUT=5
ENABLE_DEBUG_LOG_LEVEL=True
SYSLOG=False
USE_VENV=False
CURL_GET=curl
DISTRO=bookworm
os_PACKAGE=deb
ENABLED_SERVICES=key,mysql,g-api
DISABLED_SERVICES=
declare -A GITDIR GITREPO GITBRANCH PROJECT_VENV SYSTEMD_ENV_VARS
DEVSTACK_PLUGINS=,s3gateway
GITDIR[s3gateway]=$PLUGIN

source "$HERE/localrc"

if [[ -n "$DEVSTACK_DIR" ]]; then
    source "$DEVSTACK_DIR/functions"
    source "$DEVSTACK_DIR/lib/apache"
else
    source "$PLUGIN/tests/devstack/standin.sh"
fi

# What needs a machine of its own is noted down in place of done.
function note {
    echo "$*" >> "$HERE/calls"
}
for name in setup_develop pip_install pip_install_gr install_package enable_apache_mod \
    enable_apache_site disable_apache_site restart_apache_server echo_summary \
    configure_keystone_authtoken_middleware setup_logging create_service_user; do
    eval "function $name { note $name \"\$@\"; }"
done
function sudo {
    [[ "$1" != -H && "$1" != -E ]] || shift
    "$@"
}
function configure_keystoneauth {
    iniset "$1" "$3" username "$2"
}
function database_connection_url {
    echo "$DATABASE_URL"
}
function iniset_rpc_backend {
    iniset "$2" oslo_messaging_notifications driver noop
}
function get_random_port {
    echo "$GLANCE_PORT"
}

set -o errexit
trap 'echo "ERR trap: $BASH_COMMAND" >&2' ERR
set -o xtrace

[[ "$1" == clean ]] || run_phase override_defaults
if [[ -n "$DEVSTACK_DIR" ]]; then
    source "$DEVSTACK_DIR/lib/glance"
    source "$DEVSTACK_DIR/lib/swift"
else
    define_glance
fi
if [[ "$1" == unstack || "$1" == clean ]]; then
    load_plugin_settings
else
    run_phase source
fi

for step in "$@"; do
    # shellcheck disable=SC2086  # a mode and a phase
    case "$step" in
        glance) configure_glance ;;
        call\ *) set +o xtrace; ${step#call }; set -o xtrace ;;
        *) run_phase $step ;;
    esac
done
