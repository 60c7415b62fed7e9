#!/bin/sh
# environment.sh FOLDER REQUIREMENTS: makes the virtual environment FOLDER hold exactly what the hashed file names.
set -eu
folder=$1 requirements=$2

if [ -f "$folder/requirements.txt" ] && cmp -s "$folder/requirements.txt" "$requirements" && "$folder/bin/python" -c ''; then
  touch "$folder/requirements.txt"
  exit 0
fi

python=
for candidate in "${PYTHON:-python3.13}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.13 was not found: install it (for example with 'pyenv install 3.13'), or name it with PYTHON=/path/to/python3.13." >&2
  exit 1
fi

echo "Installing $requirements into $folder ..." >&2
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes -r "$requirements"
cp "$requirements" "$folder/requirements.txt"
