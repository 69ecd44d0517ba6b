#!/usr/bin/env bash
# Looks at a package that deploy/debian/build.sh made, installs it into a folder, and runs what was installed.
#
#   deploy/debian/test.sh PACKAGE.deb
set -euo pipefail

package=${1:?say which package: deploy/debian/test.sh target/debian/plumb_….deb}
size_max=$((60 * 1000 * 1000))
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    printf 'debian: %s\n' "$1" >&2
    exit 1
}

size=$(stat -c %s "$package")
((size <= size_max)) || fail "$package has $size bytes, more than $size_max"

# What is in it, and as what.
dpkg-deb --contents "$package" >"$scratch/contents"
has() { grep -Eq -- "^$1 (root/root|0/0) .* \./$2( |\$)" "$scratch/contents" || fail "the package lacks $2 as $1"; }
has -rwxr-xr-x usr/bin/plumb
has -rw-r--r-- 'usr/lib/plumb/libonnxruntime\.so\.[0-9.]+'
has -rw-r--r-- usr/lib/systemd/system/plumb.service
has -rw-r--r-- usr/lib/udev/rules.d/70-plumb.rules
has -rw-r--r-- usr/lib/sysctl.d/60-plumb.conf
has -rw-r--r-- usr/lib/sysusers.d/plumb.conf
has -rw-r--r-- usr/lib/tmpfiles.d/plumb.conf
has -rw-r--r-- etc/plumb/station.toml
has -rw-r--r-- etc/plumb/recipes/washer.toml
has -rw-r--r-- usr/share/plumb/models/line-parts/line-parts.onnx
has -rw-r--r-- usr/share/plumb/prometheus/alert.rules.yml
has -rw-r--r-- usr/share/plumb/grafana/dashboards/plumb-station.json
has -rw-r--r-- usr/share/man/man1/plumb.1.gz
has -rw-r--r-- usr/share/bash-completion/completions/plumb
has -rw-r--r-- usr/share/zsh/vendor-completions/_plumb
has -rw-r--r-- usr/share/fish/vendor_completions.d/plumb.fish
has -rw-r--r-- usr/share/doc/plumb/copyright
has -rw-r--r-- 'usr/share/doc/plumb/changelog(\.Debian)?\.gz'
has -rw-r--r-- usr/share/doc/plumb/alerts/StationDown.md
has -rw-r--r-- usr/share/doc/plumb/drop-ins/gpu-nvidia.conf
if grep -Ev ' \./(usr|etc|lib)?(/|$)| \./$' "$scratch/contents"; then fail "the package has files where it should not"; fi
if grep -E '^-..[sS]|^.{5}[sSw]|^.{8}w' "$scratch/contents"; then fail "the package has files that others may write, or setuid ones"; fi

# What it says of itself.
dpkg-deb --info "$package" >"$scratch/info"
for field in 'Package: plumb' 'Maintainer: .+' 'Description: .+' 'Depends: .*libc6.*' 'Depends: .*gstreamer1.0-plugins-good.*' \
    'Depends: .*libopencv-core.*' 'Depends: .*systemd.*'; do
    grep -Eq "^ $field" "$scratch/info" || fail "the package does not say $field"
done
dpkg-deb --ctrl-tarfile "$package" | tar -xO ./conffiles >"$scratch/conffiles"
grep -qx /etc/plumb/station.toml "$scratch/conffiles" || fail "an upgrade would overwrite /etc/plumb/station.toml"

# Installed into a folder, by dpkg itself, with its scripts.
root=$scratch/root
mkdir -p "$root"/{etc,var/lib/dpkg/{info,updates,triggers}}
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
if ((EUID == 0)); then
    dpkg --root="$root" --force-script-chrootless --force-depends --install "$package" >"$scratch/install" 2>&1 ||
        { cat "$scratch/install" >&2 && fail "dpkg could not install it"; }
    grep -q '^plumb:x:' "$root/etc/passwd" || fail "there is no user plumb"
    [[ $(stat -c %a "$root/etc/plumb") == 750 ]] || fail "/etc/plumb may be read by others"
    [[ $(stat -c %a "$root/var/lib/plumb") == 750 ]] || fail "/var/lib/plumb may be read by others"
    [[ ! -e $root/etc/systemd/system/multi-user.target.wants/plumb.service ]] || fail "it starts before anybody has made its config"
else
    echo "debian: not root; its scripts were not run"
    dpkg-deb --extract "$package" "$root"
fi

# And it runs: from another folder, with nothing of the sources around.
cd "$scratch"
plumb=$root/usr/bin/plumb
"$plumb" --version
"$plumb" check "$root/etc/plumb/station.toml"
env -u PLUMB_ORT_LIB -u ORT_DYLIB_PATH "$plumb" demo --seconds 4 --rate 300 --listen 127.0.0.1:0 --data "$scratch/demo" 2>"$scratch/demo.log" ||
    { tail -n 20 "$scratch/demo.log" >&2 && fail "the installed demo does not run"; }
grep -q '(0 unaccounted)' "$scratch/demo.log" || fail "the installed demo did not account for its parts"
tail -n 4 "$scratch/demo.log" >&2
if command -v lintian >/dev/null; then lintian --fail-on error "$package"; else echo "debian: lintian is not installed; its checks were not run"; fi
if ((EUID == 0)); then
    dpkg --root="$root" --force-script-chrootless --force-depends --purge plumb >"$scratch/purge" 2>&1 ||
        { cat "$scratch/purge" >&2 && fail "dpkg could not remove it"; }
    [[ ! -e $root/usr/bin/plumb && -d $root/var/lib/plumb ]] || fail "a purge leaves the binary, or takes the records"
fi
echo "debian: $package is as it should be, $size bytes"
