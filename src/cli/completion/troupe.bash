# Completion of troupe(1) for bash.
_troupe()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "send ask watch stop spawn ps ping bench --help --version" -- "$word")
        return
    fi
    case $before in
    -p | --proto | -d | --descriptor-set | --certificate | --key | --ca)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    -I | --include)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --dialect)
        mapfile -t COMPREPLY < <(compgen -W "a b dotnet" -- "$word")
        return
        ;;
    bench)
        mapfile -t COMPREPLY < <(compgen -W "remote" -- "$word")
        return
        ;;
    esac
    options="--listen --advertise --client --dialect --plaintext --certificate --key --ca --timeout
        --verbose --help --version"
    case ${COMP_WORDS[1]} in
    send) options="$options --proto --include --descriptor-set --text --no-wait" ;;
    ask) options="$options --proto --include --descriptor-set --text" ;;
    spawn) options="$options --name" ;;
    ps) options="$options --exact" ;;
    ping) options="$options --count --interval" ;;
    bench) options="$options --seconds --size --pairs --serve" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -o filenames -F _troupe troupe
