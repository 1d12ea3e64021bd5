# What the install.sh of each folder of tests is made of; to be read by `. ../packages.sh` in that folder. Each says nothing when all is well,
# does nothing that is done already, and needs root only when a package is missing.

# run shows what a command printed only if it failed.
run() {
	log=$(mktemp)
	if "$@" >"$log" 2>&1 </dev/null; then
		rm -f "$log"
	else
		status=$?
		cat "$log" >&2
		rm -f "$log"
		echo "install.sh: $* ended with status $status" >&2
		exit "$status"
	fi
}

# debian installs packages, whose names are its arguments, unless they are there.
debian() {
	missing=
	for package; do
		case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
		installed) ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	run $sudo apt-get update
	# shellcheck disable=SC2086 # a list of names
	run $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# nodejs installs Node.js unless it is there, from wherever it came.
nodejs() {
	command -v npm >/dev/null && command -v node >/dev/null || debian nodejs npm
}

# modules installs what package-lock.json of a folder names.
modules() {
	[ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || (cd "$1" && run npm ci --no-audit --no-fund)
}
