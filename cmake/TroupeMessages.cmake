# troupe_messages(TARGET FILE.proto… [IMPORT_DIRS FOLDER…] [SETTINGS NAME=VALUE…])
#
# Adds the messages of .proto files to a target: their generated sources are compiled into it, and
# "FILE.troupe.h" can be included by it and by what links it. A file's header lies where the file
# does, relative to the first folder of IMPORT_DIRS that holds it, else by its bare name. Imports
# are searched in IMPORT_DIRS, in the files' own folders, and among what Troupe brings along
# (troupe/options.proto). SETTINGS are those of protoc-gen-troupe, such as string_size=127. C must
# be one of the project's languages.
cmake_policy(PUSH)
if(POLICY CMP0116)
  cmake_policy(SET CMP0116 NEW) # The paths in DEPFILE.
endif()

function(troupe_messages target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "IMPORT_DIRS;SETTINGS")
  if(NOT TARGET ${target})
    message(FATAL_ERROR "troupe_messages: there is no target '${target}'")
  endif()
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "troupe_messages(${target}): name at least one .proto file")
  endif()
  find_program(TROUPE_PROTOC protoc)
  if(NOT TROUPE_PROTOC)
    message(FATAL_ERROR "troupe_messages(${target}): protoc is missing: install it (package "
            "protobuf-compiler) or set TROUPE_PROTOC to its path")
  endif()

  set(out ${CMAKE_CURRENT_BINARY_DIR}/troupe_messages/${target})
  set(roots "")
  foreach(folder IN LISTS arg_IMPORT_DIRS)
    get_filename_component(folder ${folder} ABSOLUTE)
    list(APPEND roots ${folder})
  endforeach()
  set(files "")
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    get_filename_component(file ${file} ABSOLUTE)
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "troupe_messages(${target}): there is no file '${file}'")
    endif()
    list(APPEND files ${file})
    set(held FALSE)
    foreach(root IN LISTS roots)
      string(FIND ${file} ${root}/ at)
      if(at EQUAL 0)
        set(held TRUE)
      endif()
    endforeach()
    if(NOT held)
      get_filename_component(folder ${file} DIRECTORY)
      list(APPEND roots ${folder})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES roots)

  set(includes "")
  foreach(root IN LISTS roots)
    list(APPEND includes -I${root})
  endforeach()
  list(APPEND includes -I${TROUPE_PROTO_DIR})
  string(REPLACE ";" "," settings "${arg_SETTINGS}")
  if(settings)
    set(settings --troupe_opt=${settings})
  endif()
  foreach(file IN LISTS files)
    set(name "")
    foreach(root IN LISTS roots)
      string(FIND ${file} ${root}/ at)
      if(at EQUAL 0 AND NOT name)
        file(RELATIVE_PATH name ${root} ${file})
      endif()
    endforeach()
    string(REGEX REPLACE "\\.proto$" "" name ${name})
    set(made ${out}/${name}.troupe)
    get_filename_component(folder ${made} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    set(depends "")
    if(NOT CMAKE_VERSION VERSION_LESS 3.20)
      set(depends DEPFILE ${made}.d) # Before, a changed import is not noticed.
    endif()
    add_custom_command(
      OUTPUT ${made}.c ${made}.h
      COMMAND ${TROUPE_PROTOC} --plugin=protoc-gen-troupe=$<TARGET_FILE:Troupe::protoc-gen-troupe>
              ${settings} --troupe_out=${out} --dependency_out=${made}.d ${includes} ${file}
      DEPENDS ${file} Troupe::protoc-gen-troupe ${depends}
      COMMENT "Generating ${name}.troupe.h" VERBATIM)
    target_sources(${target} PRIVATE ${made}.c ${made}.h)
  endforeach()
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${out}>)
endfunction()
cmake_policy(POP)
