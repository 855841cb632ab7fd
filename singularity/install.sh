#!/bin/sh
# Install LiGAN into /opt/ligan of an image. Run by the %post of frontend.def and backend.def: install.sh ROLE [PIP WORDS]
# /build is what scripts/build-images has put together: wheels, pins, and the role's requirements.
set -eu
role=$1
shift

# Debian's bootstrap brings Python along; an image of Docker Hub gets its own.
if ! command -v python3 >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 ca-certificates
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 1; }

python3 -m venv --without-pip /opt/ligan
python=/opt/ligan/bin/python
pip_wheel=$(echo /build/wheels/pip-*.whl)
pip() { "$python" "$pip_wheel/pip" --no-cache-dir --disable-pip-version-check "$@"; }
pip install --quiet --no-compile --find-links /build/wheels "$@" \
  --constraint /build/constraints.txt --requirement "/build/$role.txt"
pip install --quiet --no-compile --no-deps --no-index /build/wheels/ligan-*.whl
cp /build/self_test.py /opt/ligan/
echo "org.opencontainers.image.version $("$python" -c 'import ligan; print(ligan.__version__)')" >>"$APPTAINER_LABELS"

# Smaller: what no server opens. Package lists, manuals, the packages' own tests, headers of torch.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf /var/lib/apt/lists /var/cache/apt /var/cache/debconf/*-old /var/log/apt /var/log/*.log /usr/share/doc /usr/share/man
case $role in frontend) others=backend_container ;; *) others=frontend_server ;; esac
rm -rf "$packages/master_daemon" "$packages/$others"
rm -rf "$packages"/torch/include "$packages"/torch/share "$packages"/torch/lib/*.a
find "$packages" -type d -name tests -prune -exec rm -rf {} +

# Quicker: the whole of Python is compiled, and as nothing here ever changes, no import asks for a file's time.
find /usr /opt -type d -name __pycache__ -prune -exec rm -rf {} +
"$python" -m compileall -q -f -j 0 --invalidation-mode unchecked-hash "$(dirname "$("$python" -c 'import os; print(os.__file__)')")" \
  "$packages" >/dev/null || true # a few files of other people's packages are templates
rm -rf /build
