#!/usr/bin/env bash
# Everything that is to be known of pregen on a GPU, in the order of worth, within ten minutes; results are written as
# they come. Needs a built checkout (npm ci && npm run build) and, but for --tiny, an installed provider.
#
#   bench/gpu.sh [--provider cuda] [--out DIR] [--models DIR] [--seconds 600] [--tiny]
#
# --models holds folders sd15/ and sdxl/ (fp16 exports); those that are not there are left out, and that is said.
# --tiny draws the demo at two steps, to try this script on a machine without a GPU: --provider cpu --tiny
set -uo pipefail

provider=cuda
out=bench/build/gpu
models=bench/build/models
seconds=600
tiny=
while [ $# -gt 0 ]; do
  case $1 in
    --provider) provider=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --models) models=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --tiny) tiny=1; shift ;;
    *) sed -n '2,9p' "$0" >&2; exit 2 ;;
  esac
done
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
report=$out/report.md
started=$(date +%s)
: > "$report"

say() { printf '%s\n' "$@" | tee -a "$report"; }
left() { echo $((seconds - ($(date +%s) - started))); }
pregen() { timeout "$(left)" node "$root/bin/pregen.js" "$@"; }
# A part that has no time left is told, and so is one that fails; the next goes on.
part() {
  local title=$1
  shift
  if [ "$(left)" -lt 5 ]; then say "- $title: no time left"; return; fi
  say "" "## $title" ""
  "$@" >> "$report" 2>&1 || say "failed with exit code $?"
}

# run_sheet TITLE SHEET PROVIDER [ARG…]: draws it, and writes a row of figures.
run_sheet() {
  local title=$1 sheet=$2 on=$3
  shift 3
  local name=${title//[^A-Za-z0-9]/-}
  rm -rf "${out:?}/$name"
  pregen run "$sheet" --out "$out/$name" --dry-run --provider "$on" --format ndjson "$@" \
    > "$out/$name.ndjson" 2> "$out/$name.err" || tail -n 3 "$out/$name.err"
  node "$root/bench/gpu-figures.mjs" events "$out/$name.ndjson" "$title"
}

# sheet_of FILE MODEL SIZE STEPS BATCH PICTURES
sheet_of() {
  local seeds
  seeds=$(seq -s, 1 "$6")
  cat > "$1" <<SHEET
version: gpu
models: { m: $2 }
defaults: { model: m, width: $3, height: $3, steps: $4, batch: $5 }
programs: { P1: { previews: { method: latent2rgb } } }
cues: { hill: { program: P1, prompt: a hill at dawn, seeds: [$seeds] } }
SHEET
}

steps=20
demo=$root/cues/demo.yaml
if [ -n "$tiny" ]; then
  steps=2
  demo=$out/demo.yaml
  sheet_of "$demo" "$root/models/backdrop" 64 2 1 2
fi

card() {
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "no nvidia-smi here"
  date -u +%F
  node --version
}
compare() {
  node "$root/bench/gpu-figures.mjs" pictures "$out/demo-on-$provider/foigoi" "$out/demo-on-cpu/foigoi"
}
batches() {
  local model=$1 batch
  for batch in 1 2 4 8; do
    sheet_of "$out/batch.yaml" "$model" "$size" "$steps" "$batch" 8
    run_sheet "batch $batch of 8" "$out/batch.yaml" "$provider"
  done
}
real() {
  local name=$1 side=$2
  sheet_of "$out/$name.yaml" "$models/$name" "$side" "$steps" 1 3
  run_sheet "$name at $side" "$out/$name.yaml" "$provider"
  python3 "$root/bench/ort_steps.py" "$models/$name" "$provider" --latent $((side / 8)) ||
    echo "onnxruntime in Python: not measured (pip install onnxruntime-gpu)"
}

say "# pregen on $provider"
part "The card" card
part "Doctor" pregen doctor
part "Demo on $provider" run_sheet "demo on $provider" "$demo" "$provider"
part "Demo on the CPU" run_sheet "demo on cpu" "$demo" cpu
part "Pictures of $provider against the CPU's" compare
size=512
batch_model=$models/sd15
if [ -n "$tiny" ] || [ ! -d "$batch_model" ]; then
  size=64
  batch_model=$root/models/backdrop
fi
for pair in sd15:512 sdxl:1024; do
  name=${pair%:*}
  if [ -d "$models/$name" ]; then part "$name in fp16" real "$name" "${pair#*:}"
  else say "" "- $name: no folder $models/$name"; fi
done
part "Batches at $size × $size" batches "$batch_model"
part "Two devices, or two processes on the CPU" run_sheet "demo on two" "$demo" "$provider" --devices 0,1
if [ "$provider" = cuda ]; then
  part "Demo over WebGPU" run_sheet "demo on webgpu" "$demo" webgpu
fi
say "" "$(($(date +%s) - started)) s; everything lies in $out"
