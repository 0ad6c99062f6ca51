#!/bin/bash -eu
# Builds every target and packs the valid files that each begins with.

cd "$SRC/alpc-dump"
cargo fuzz build --release --debug-assertions

cargo run --release --manifest-path fuzz/Cargo.toml --example seeds -- "$WORK/seeds"

targets=fuzz/target/x86_64-unknown-linux-gnu/release
for source in fuzz/targets/*.rs; do
  name=$(basename "$source" .rs)
  cp "$targets/$name" "$OUT/"
  if [ -d "$WORK/seeds/$name" ]; then
    zip --quiet --junk-paths --recurse-paths "$OUT/${name}_seed_corpus.zip" "$WORK/seeds/$name"
  fi
done

# Targets that begin with a shipped dump look for it beside themselves.
mkdir -p "$OUT/fixtures"
cp fixtures/vista-sp2-x64.dmp fixtures/vista-sp2-x64.pdb "$OUT/fixtures/"
