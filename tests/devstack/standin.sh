#!/bin/bash
#
# What the plugin uses of DevStack, where no DevStack is: the same names and
# meanings, written for these tests.

# shellcheck disable=SC1091,SC2034  # see driver.sh

function trueorfalse {
    case "${!2}" in
        1|[Yy]es|YES|[Tt]rue|TRUE) echo True ;;
        0|[Nn]o|NO|[Ff]alse|FALSE) echo False ;;
        *) echo "$1" ;;
    esac
}

function die {
    local status=$?
    echo "[ERROR] ${BASH_SOURCE[1]}:$1 ${*:2}" >&2
    exit $(( status ? status : 1 ))
}

function define_plugin {
    :
}

function is_service_enabled {
    local service
    for service in "$@"; do
        [[ ",$ENABLED_SERVICES," != *",$service,"* ]] || return 0
    done
    return 1
}

function enable_service {
    local service
    for service in "$@"; do
        if [[ ",$DISABLED_SERVICES," != *",$service,"* ]] && ! is_service_enabled "$service"; then
            ENABLED_SERVICES+=",$service"
        fi
    done
}

function is_ubuntu {
    return 0
}

# The plugin's phases
# -------------------

function load_plugin_settings {
    source "$PLUGIN/devstack/settings"
}

function run_phase {
    case $1 in
        override_defaults) source "$PLUGIN/devstack/override-defaults" ;;
        source) load_plugin_settings ;;
        *) source "$PLUGIN/devstack/plugin.sh" "$@" ;;
    esac
}

# INI files
# ---------

# The numbers of the lines that set an option.
function ini_lines {
    awk -v section="[$2]" -v option="$3" '
        /^\[/ { within = ($0 == section) }
        within && index($0, "=") {
            name = substr($0, 1, index($0, "=") - 1)
            gsub(/[ \t]/, "", name)
            if (name == option) print NR
        }' "$1" 2> /dev/null || true
}

function iniget {
    local line value=""
    line=$(ini_lines "$@" | head -1)
    if [[ -n "$line" ]]; then
        value=$(sed -n "${line}s/^[^=]*=//p" "$1")
    fi
    # shellcheck disable=SC2086  # as DevStack: blanks squeezed, globs expanded
    echo $value
}

function inidelete {
    local line
    for line in $(ini_lines "$@" | sort -rn); do
        sed -i "${line}d" "$1"
    done
}

function iniset {
    local file=$1 section=$2 option=$3 value
    # shellcheck disable=SC2086,SC2116  # as DevStack, again
    value=$(echo $4)
    inidelete "$file" "$section" "$option"
    if ! grep -qxF "[$section]" "$file" 2> /dev/null; then
        printf '\n[%s]\n' "$section" >> "$file"
    fi
    SET="$option = $value" awk -v section="[$section]" \
        '{ print } $0 == section { print ENVIRON["SET"] }' "$file" > "$file.new"
    cat "$file.new" > "$file"
    rm "$file.new"
}

# Services
# --------

function run_process {
    if is_service_enabled "$1"; then
        mkdir -p "$SYSTEMD_DIR"
        printf 'ExecStart = %s\nEnvironment = %s\n' "$2" "$5" > "$SYSTEMD_DIR/devstack@$1.service"
        $SYSTEMCTL enable "devstack@$1.service"
        $SYSTEMCTL start "devstack@$1.service"
    fi
}

function stop_process {
    if is_service_enabled "$1" && $SYSTEMCTL is-enabled "devstack@$1.service"; then
        $SYSTEMCTL stop "devstack@$1.service"
        $SYSTEMCTL disable "devstack@$1.service"
    fi
}

# Waits for an answer, whichever it is.  DevStack asks with curl, which a bare machine
# does not have.
function wait_for_service {
    timeout "$1" python3 "$PLUGIN/tests/devstack/ask.py" "$2"
}

function apache_site_config_for {
    echo "$APACHE_CONF_DIR/$1.conf"
}

function write_local_uwsgi_http_config {
    local conf=$1 module=$2 url=$3 name=$4
    rm -f "$conf"
    iniset "$conf" uwsgi module "$module"
    iniset "$conf" uwsgi http-socket "127.0.0.1:$(get_random_port)"
    echo "ProxyPass \"$url\" \"http://127.0.0.1:$(get_random_port)\"" > "$(apache_site_config_for "$name")"
    enable_apache_site "$name"
    restart_apache_server
}

function remove_uwsgi_config {
    rm -f "$1"
    disable_apache_site "$2"
}

# Glance
# ------

function define_glance {
    GLANCE_DIR=$DEST/glance
    GLANCE_USE_S3=$(trueorfalse False GLANCE_USE_S3)
    GLANCE_S3_DEFAULT_BACKEND=${GLANCE_S3_DEFAULT_BACKEND:-s3_fast}
    GLANCE_SHOW_MULTIPLE_LOCATIONS=$(trueorfalse False GLANCE_SHOW_MULTIPLE_LOCATIONS)
    GLANCE_ENABLE_MULTIPLE_STORES=$(trueorfalse False GLANCE_ENABLE_MULTIPLE_STORES)
    GLANCE_MULTIPLE_FILE_STORES=${GLANCE_MULTIPLE_FILE_STORES:-fast}
    GLANCE_MULTISTORE_FILE_IMAGE_DIR=${GLANCE_MULTISTORE_FILE_IMAGE_DIR:-$DATA_DIR/glance}
    GLANCE_API_CONF=$GLANCE_CONF_DIR/glance-api.conf
    GLANCE_API_PASTE_INI=$GLANCE_CONF_DIR/glance-api-paste.ini
    GLANCE_UWSGI_CONF=$GLANCE_CONF_DIR/glance-uwsgi.ini
    GLANCE_SERVICE_PROTOCOL=$SERVICE_PROTOCOL
    SWIFT_SERVICE_PROTOCOL=${SWIFT_SERVICE_PROTOCOL:-$SERVICE_PROTOCOL}
    if is_service_enabled tls-proxy; then
        GLANCE_SERVICE_PROTOCOL=https
        SWIFT_SERVICE_PROTOCOL=https
    fi
    GLANCE_SERVICE_HOST=${GLANCE_SERVICE_HOST:-$SERVICE_HOST}
    GLANCE_URL=$GLANCE_SERVICE_PROTOCOL://$GLANCE_SERVICE_HOST/image
    SWIFT_DEFAULT_BIND_PORT=${SWIFT_DEFAULT_BIND_PORT:-8080}
}

function configure_glance {
    local store stores=""
    mkdir -p "$GLANCE_CONF_DIR"
    iniset "$GLANCE_API_CONF" database connection "$(database_connection_url glance)"
    iniset "$GLANCE_API_CONF" DEFAULT image_cache_dir "$DATA_DIR/glance/cache/"
    iniset "$GLANCE_API_CONF" DEFAULT image_cache_driver centralized_db
    iniset "$GLANCE_API_CONF" DEFAULT worker_self_reference_url "http://127.0.0.1:$(get_random_port)"
    iniset "$GLANCE_API_CONF" DEFAULT show_multiple_locations "$GLANCE_SHOW_MULTIPLE_LOCATIONS"
    iniset "$GLANCE_API_CONF" paste_deploy flavor keystone+cachemanagement
    if [[ "$GLANCE_ENABLE_MULTIPLE_STORES" == True ]]; then
        if ! is_service_enabled s-proxy; then
            for store in ${GLANCE_MULTIPLE_FILE_STORES//,/ }; do
                stores+=",$store:file"
            done
            iniset "$GLANCE_API_CONF" DEFAULT enabled_backends "${stores#,}"
            iniset "$GLANCE_API_CONF" glance_store default_backend "${GLANCE_DEFAULT_BACKEND:-fast}"
        fi
        for store in staging tasks; do
            iniset "$GLANCE_API_CONF" os_glance_${store}_store filesystem_store_datadir \
                "$GLANCE_MULTISTORE_FILE_IMAGE_DIR/os_glance_${store}_store/"
        done
    fi
    iniset_rpc_backend glance "$GLANCE_API_CONF"
    cp -p "$GLANCE_DIR/etc/glance-api-paste.ini" "$GLANCE_API_PASTE_INI"
    write_local_uwsgi_http_config "$GLANCE_UWSGI_CONF" glance.wsgi.api:application /image glance-api
}
