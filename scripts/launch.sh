#!/usr/bin/env bash
# Builds Release once, under a lock, whenever the sources are newer than the last build; then becomes the program.
#   scripts/launch.sh mbr|membershipd [ARGUMENT...]      what ./mbr and ./membershipd call
#   scripts/launch.sh --build-only                       build if needed, run nothing
#
# Layout under .build/ (ignored by git):
#   current -> gen-N      the newest build; a build never writes into a directory a running program may have open
#   gen-N/mbr, gen-N/membershipd, gen-N/stamp            the stamp is as old as the start of its build
#   launch/               intermediate files, apart from bin/ and obj/ so that `dotnet build` and a launcher never meet
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
build=$root/.build
generations_kept=3

say() { printf '%s\n' "membership: $*" >&2; }

# A file or folder that went into the build and changed after it began; empty when the build is current.
newer_source() {
    [[ -e $build/current/stamp ]] || { echo "no build yet"; return; }
    find "$root/src" "$root/proto" "$root"/Directory.*.props "$root"/Directory.*.targets "$root/global.json" \
        "$root/BannedSymbols.Core.txt" "$root/.editorconfig" "$root/scripts/launch.sh" \
        \( -name bin -o -name obj \) -prune -o \
        \( -type d -o -name '*.cs' -o -name '*.csproj' -o -name '*.proto' -o -name '*.props' -o -name '*.targets' -o -name '*.json' \
           -o -name '*.html' -o -name '*.css' -o -name '*.js' -o -name '*.svg' -o -name '*.txt' -o -name '*.sh' -o -name .editorconfig \) \
        -newer "$build/current/stamp" -print -quit
}

# Folders change when bin/ or obj/ appear in them; compare contents, not only times, before calling a build stale.
source_digest() {
    (cd "$root" && find src proto Directory.*.props Directory.*.targets global.json BannedSymbols.Core.txt .editorconfig scripts/launch.sh \
        \( -name bin -o -name obj \) -prune -o -type f ! -name 'packages.lock.json' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64)
}

# An environment without a (writable) home directory gets one below .build/, for the SDK's and NuGet's own files.
lend_home() {
    if [[ -z ${HOME:-} || ! -w ${HOME:-/nonexistent} ]]; then
        export HOME=$build/home DOTNET_CLI_HOME=$build/home NUGET_PACKAGES=${NUGET_PACKAGES:-$build/home/packages}
        mkdir -p "$HOME"
    fi
    export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
}

runtime_id() {
    case "$(uname -m)" in
        x86_64) echo linux-x64 ;;
        aarch64) echo linux-arm64 ;;
        *) echo "" ;;
    esac
}

# Publishes both programs into the folder $1. Code compiled ahead of time starts three times as fast;
# where its compiler cannot be restored, the programs are built without it.
publish() {
    local target=$1 rid ahead=()
    local common=(-c Release --artifacts-path "$build/launch" -p:LauncherBuild=true -nodeReuse:false -clp:NoSummary)
    rid=$(runtime_id)
    if [[ -n $rid ]]; then
        ahead=(-r "$rid" --self-contained false -p:PublishReadyToRun=true)
        local restore=(--artifacts-path "$build/launch" -p:LauncherBuild=true -p:PublishReadyToRun=true -r "$rid" -nodeReuse:false)
        if ! dotnet restore "$root/src/Daemon/Membership.Daemon.csproj" "${restore[@]}"; then
            echo "ahead-of-time compiler not available: building without it"
            ahead=()
        fi
    fi
    dotnet publish "$root/src/Daemon/Membership.Daemon.csproj" "${common[@]}" "${ahead[@]}" -o "$target/membershipd" || return 1
    dotnet publish "$root/src/Cli/Membership.Cli.csproj" "${common[@]}" "${ahead[@]}" -o "$target/mbr" || return 1
}

build_generation() {
    local number next started=$SECONDS digest
    touch "$build/stamp.new"    # what changes from here on is newer than this build
    digest=$(source_digest)
    if [[ -e $build/current/digest && $(<"$build/current/digest") == "$digest" ]]; then
        mv "$build/stamp.new" "$build/current/stamp"
        return
    fi
    command -v dotnet >/dev/null || { say "the .NET SDK is not installed (no 'dotnet' in PATH); see README.md, \"Build\""; exit 69; }
    lend_home
    number=$(find "$build" -maxdepth 1 -name 'gen-*' -printf '%f\n' | sed 's/gen-//' | sort -n | tail -1)
    next=$build/gen-$((${number:-0} + 1))
    mkdir -p "$next"
    mv "$build/stamp.new" "$next/stamp"
    say "building (once, about a minute; log: ${build#"$PWD"/}/build.log) ..."
    if ! publish "$next" >"$build/build.log" 2>&1 9>&-; then
        rm -rf "$next"
        cat "$build/build.log" >&2
        say "the build failed; its log is above"
        exit 70
    fi
    echo "$digest" >"$next/digest"
    ln -sfn "$(basename "$next")" "$build/current.new"
    mv -T "$build/current.new" "$build/current"
    say "built in $((SECONDS - started)) s"
    find "$build" -maxdepth 1 -name 'gen-*' -printf '%f\n' | sed 's/gen-//' | sort -n | head -n -"$generations_kept" |
        while read -r old; do rm -rf "$build/gen-$old"; done
}

ensure_built() {
    [[ -n $(newer_source) ]] || return 0
    if ! mkdir -p "$build" 2>/dev/null || [[ ! -w $build ]]; then
        if [[ -e $build/current/stamp ]]; then
            say "sources are newer than the build, but $build cannot be written: running the older build"
            return 0
        fi
        say "nothing is built yet and $build cannot be written: run ./mbr once as a user who may write there"
        exit 73
    fi
    exec 9>>"$build/lock"
    if ! flock -n 9; then
        say "waiting for another build ..."
        flock 9
    fi
    if [[ -n $(newer_source) ]]; then build_generation; fi
    exec 9>&-
}

ensure_built
[[ ${1:-} == --build-only ]] && exit 0
program=${1:?usage: scripts/launch.sh mbr|membershipd [ARGUMENT...]}
shift
if [[ -z ${DOTNET_ROOT:-} ]] && dotnet=$(command -v dotnet); then
    DOTNET_ROOT=$(dirname "$(readlink -f "$dotnet")")
    export DOTNET_ROOT
fi
exec "$build/current/$program/$program" "$@"
