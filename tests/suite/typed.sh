# Types what pages tell readers to type; `typed.rs` adds it after this. What fails goes to the file `failed`.
set -u -o pipefail
CLONE=$PWD
: >"$CLONE/failed"
export PATH="$CLONE/target/release:$TOOLS:$PATH" EDITOR=true
export GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example
ip link set lo up

# As `cargo run --release -- demo` does; a reader of the audit API has a token, which takes a restart.
demo() {
    landbridge demo --residents 2000 --once >demo.log || exit
    reader=$(landbridge audit token lin.auditor --rights tiles,search,subjects --json)
    TOKEN=$(jq -r .token <<<"$reader")
    {
        printf '[[operators.reader]]\nname = "lin.auditor"\ntoken_sha256 = "%s"\n' "$(jq -r .token_sha256 <<<"$reader")"
        printf 'rights = ["tiles", "search", "subjects"]\n[subjects]\nschemes = ["national_id"]\nuser_code_prefix = "EE"\n'
    } >>landbridge-demo/config/civil.toml
    landbridge demo --residents 2000 >demo.log &
    DEMO=$!
    until grep -q '^Ctrl-C stops them' demo.log; do
        kill -0 $DEMO || exit
        read -rt 0.2 <> <(:) || :
    done
    # The get of R0000000003 that the README has asked for may not have been yet: that of the demo serves as well.
    EXCHANGE=$(landbridge audit search --config landbridge-demo/config/tax.toml --json --outcome answered |
        jq -rs 'map(select(.record.exchange.mode == "get"))[0].leaf.exchange')
}

# What the demo says to try next.
what_next() {
    sed -n '/To try next/,/^Ctrl-C/s/^  //p' demo.log >next
    typed "the demo's last words" <next
}

# The files that examples speak of as the reader's own.
examples_from() {
    cd landbridge-demo || exit
    export LANDBRIDGE_PROFILE=clients/tax-assessment.toml
    echo R0000000003 >id.txt
    echo resident_id,full_name,national_id,gender,birth_date,status >people.csv
    echo R9000000001,王小明,990001199001010013,GENDER_MALE,1990-01-01,STATUS_ACTIVE >>people.csv
    git init -q && git add proto && git commit -qm "The registry as it is" && git tag v1.4
    cp -r proto/registry new && landbridge catalog export civil.v1 --to old && buf build old -o old.binpb
}

# Whether a command is not typed here: the file of omissions has beginnings of commands, each with a reason.
omitted() {
    local beginning
    while IFS= read -r beginning; do
        [[ $1 != "${beginning% | *}"* ]] || return 0
    done <"$CLONE/tests/suite/typed_omitted.txt"
    return 1
}

# typed <place>: types the commands that come in, one after another, in this shell.
typed() {
    local place=$1 line status command=
    while IFS= read -r line <&3; do
        line=${line//<exchange id>/$EXCHANGE}
        line=${line//lbr_…/$TOKEN}
        [[ $line != *'<correction id>'* ]] ||
            line=${line//<correction id>/$(landbridge correction queue --config config/civil.toml --json | jq -rs '.[0].correction')}
        command+=$line$'\n'
        [[ $line == *\\ ]] && continue
        if omitted "$command"; then
            command=
            continue
        fi
        bash -n <<<"$command" 2>/dev/null || continue
        printf '\n%s $ %s' "$place" "$command"
        eval "$command" </dev/null || {
            status=$?
            # So end an explanation of a refusal, and a verification that does not confirm.
            [[ "$status $command" =~ ^(2 landbridge explain|3 landbridge verify) ]] ||
                printf '%s: status %s: %s' "$place" "$status" "$command" >>"$CLONE/failed"
        }
        command=
    done 3<&0
    [[ -z $command ]] || printf '%s: not whole: %s' "$place" "$command" >>"$CLONE/failed"
}

leave() {
    kill $DEMO
    wait $DEMO
}
