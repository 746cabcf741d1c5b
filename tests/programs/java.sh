#!/usr/bin/env bash
# What: java on one source file: by the launcher's own compiler with the G1 collector, by javac, and from its class file
#   with the Z collector (the long run adds the others).
set -euo pipefail
# shellcheck source=tests/programs/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

mb_need java default-jdk-headless
mb_need javac default-jdk-headless
unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH
size=$(mb_scale 1 10)
export size
common='-Xms64m -Xmx256m -XX:-UsePerfData -XX:ErrorFile=error.log'
export common

# shellcheck disable=SC2086 # options are words
run_class() { java $common "$@" -cp "$IN" Work "$size"; }
# shellcheck disable=SC2086
run_source() { java $common "$@" "$WORK/Work.java" "$size"; }
compile() { javac -J-XX:-UsePerfData -d . "$WORK/Work.java"; }

mb_same launcher-G1 run_source -XX:+UseG1GC
mb_served java 50000
mb_same compile compile
mb_served javac 40000
javac -J-XX:-UsePerfData -d "$IN" "$WORK/Work.java"

for collector in $(mb_scale 'Z' 'Z G1 Serial Parallel'); do
    mb_same "collector-$collector" run_class "-XX:+Use${collector}GC"
    mb_served java 15000
done
