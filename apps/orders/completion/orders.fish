# Completion of orders(1) for fish.
complete -c orders -f
complete -c orders -n __fish_use_subcommand -a run -d 'Take orders into the books'
complete -c orders -n __fish_use_subcommand -a generate -d 'Write made-up orders'
complete -c orders -n __fish_use_subcommand -a report -d 'Tell what the books hold'
complete -c orders -n __fish_use_subcommand -a verify -d 'Check the books'
complete -c orders -l help -d 'Print help'
complete -c orders -l version -d 'Print the version'

complete -c orders -n '__fish_seen_subcommand_from run generate' -x -l generate -d 'Make up so many orders'
complete -c orders -n '__fish_seen_subcommand_from run generate' -x -l seed -d 'Seed'
complete -c orders -n '__fish_seen_subcommand_from run generate' -x -l lines -d 'Lines of every made-up order'
complete -c orders -n '__fish_seen_subcommand_from generate' -r -F -l out -d 'Write there'
complete -c orders -n '__fish_seen_subcommand_from run report verify' -r -F -l db -d 'The database'
complete -c orders -n '__fish_seen_subcommand_from run report verify' -l json -d 'Print JSON'

complete -c orders -n '__fish_seen_subcommand_from run' -r -F -l data -d 'Orders as CSV, plain or .xz'
complete -c orders -n '__fish_seen_subcommand_from run' -x -l workers -d 'Worker threads'
complete -c orders -n '__fish_seen_subcommand_from run' -x -l stock -d 'Pieces of every product at the start'
complete -c orders -n '__fish_seen_subcommand_from run' -x -l declines -d 'Payments declined, permille'
complete -c orders -n '__fish_seen_subcommand_from run' -x -l late -d 'Payments answered late, permille'
complete -c orders -n '__fish_seen_subcommand_from run' -x -l duplicate-window -d 'Park repeated orders, minutes'
complete -c orders -n '__fish_seen_subcommand_from run' -r -F -l notices -d 'Append notices there'
complete -c orders -n '__fish_seen_subcommand_from run' -l quiet -d 'Show no progress'
