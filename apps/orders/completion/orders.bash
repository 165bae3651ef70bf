# Completion of orders(1) for bash.
_orders()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run generate report verify node send --help --version" -- "$word")
        return
    fi
    case $before in
    --data | --db | --out | --notices | --dropped | --acknowledged | --provider | --gateway | \
        --processing | --tls-cert | --tls-key | --tls-ca)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --backpressure)
        mapfile -t COMPREPLY < <(compgen -W "delay drop queue" -- "$word")
        return
        ;;
    --role)
        mapfile -t COMPREPLY < <(compgen -W "gateway processing ledger all" -- "$word")
        return
        ;;
    --peer)
        mapfile -t COMPREPLY < <(compgen -W "gateway= processing= ledger=" -- "$word")
        return
        ;;
    --generate | --seed | --lines | --workers | --stock | --declines | --late | --duplicate-window | \
        --under-way | --listen | --backlog | --to)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    run)
        options="--data --generate --seed --lines --db --workers --stock --declines --late
            --duplicate-window --backpressure --under-way --dropped --notices --json --quiet --help --version"
        ;;
    generate) options="--generate --seed --lines --out --help --version" ;;
    report) options="--db --json --help --version" ;;
    verify) options="--db --gateway --processing --json --help --version" ;;
    send) options="--to --data --generate --seed --lines --json --help --version" ;;
    node)
        options="--data --generate --seed --lines --db --workers --stock --declines --late
            --duplicate-window --notices --role --listen --peer --until-done --acknowledged --backlog
            --provider --tls-cert --tls-key --tls-ca --json --help --version"
        ;;
    *) return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -o filenames -F _orders orders
