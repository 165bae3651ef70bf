# Warnings, sanitizers and coverage, for everything that is ours.
add_compile_options(-Wall -Wextra -Wshadow -Wvla
                    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
                    -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -fno-omit-frame-pointer
                    -momit-leaf-frame-pointer)
if(TROUPE_WERROR)
  add_compile_options(-Werror)
endif()

if(TROUPE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(TROUPE_SANITIZE STREQUAL "thread")
  # The thread sanitizer does not model fences; the runtime orders by accesses alone.
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(NOT TROUPE_SANITIZE STREQUAL "")
  message(FATAL_ERROR "TROUPE_SANITIZE is '${TROUPE_SANITIZE}', want address, thread or nothing")
endif()

if(TROUPE_COVERAGE)
  # Atomic: several threads count in the same places.
  add_compile_options(--coverage -O0 -fprofile-update=atomic)
  add_link_options(--coverage)
  add_compile_definitions(TROUPE_COVERAGE) # Tests that end a child by _exit() write it down.
endif()

# Bugs that tests are to find: see base/plant.h. Never install such a build.
if(TROUPE_PLANTED)
  add_compile_definitions(TROUPE_PLANTED)
endif()
