#!/usr/bin/env bash
# Everything that is to be known of pregen on a GPU, in one go, within ten minutes: see bench/gpu.mjs, or --help.
exec node "$(dirname "$0")/gpu.mjs" "$@"
