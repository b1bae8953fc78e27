#!/bin/sh
# Runs the installed program ($GZ) in a folder whose index.py and model/ belong to
# somebody else: they must not be imported, and where they would be, gz must refuse.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir model
echo 'print("HOSTILE"); raise SystemExit(99)' | tee index.py >model/__init__.py

expect() { # STATUS COMMAND...: the command ends with this status and runs nothing hostile
  want=$1
  shift
  status=0
  "$@" >said 2>&1 || status=$?
  if [ "$status" != "$want" ] || grep -q HOSTILE said; then
    echo "expected status $want, got $status: $*"
    cat said
    exit 1
  fi
}

export GZ_LIBRARY="$folder/library"
expect 0 "$GZ" --version
expect 0 "$GZ" find --help
expect 4 "$GZ" ls
expect 4 "$GZ" find anything
expect 4 "$GZ" index --model demo model
expect 2 env PYTHONPATH="$folder" "$GZ" --version
grep -q "$folder" said
echo "The installed gz is safe among strangers' index.py and model/."
