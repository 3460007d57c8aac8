# shellcheck shell=bash
# What ./bench and ./test share: install what is missing, configure, build. Sourced, never run.
# Leaves out every choice that a user may want to make: those are options of tidemark and presets of CMake.

# Prints the names in lists of packages. usage: package_names LIST...
package_names() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@" | awk '{print $1}'
}

# Prints those of them that are not installed. usage: missing_packages LIST...
missing_packages() {
    local name
    for name in $(package_names "$@"); do
        dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || echo "$name"
    done
}

# Exits 2 where packages cannot be installed, and says which are needed. usage: require_apt LIST...
require_apt() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        {
            echo "$0: this system has no apt-get. Install what matches these Debian 12 packages,"
            echo "then build with: cmake --preset release && cmake --build build"
            package_names "$@" | sed 's/^/  /'
        } >&2
        exit 2
    fi
}

# Installs what is missing, as root or by sudo. Exits 2 where that cannot be done, and says what is needed.
# usage: install_packages LIST...
install_packages() {
    local missing as_root=()
    require_apt "$@"
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "$0: not root and no sudo. As root: apt-get install --no-install-recommends $missing" >&2
            exit 2
        fi
        as_root=(sudo)
    fi
    echo "$0: installing $missing"
    # Fresh lists first: a new machine has none, and an old one asks for versions that are gone.
    "${as_root[@]}" apt-get update -qq
    # The list is split into words on purpose.
    # shellcheck disable=SC2086
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 $missing >/dev/null
}

# Configures and builds a preset; quiet when all goes well.
build_preset() {
    local log
    log=$(mktemp)
    echo "$0: building ($1)"
    if ! { cmake --preset "$1" && cmake --build --preset "$1"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    grep -E 'warning:' "$log" >&2 || true
    rm -f "$log"
}
