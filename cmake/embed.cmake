# cmake -DFROM=FILE -DTO=FILE.c -DNAME=name -P embed.cmake: the file's bytes as a C array `name` and
# their number as `name_size`. Without FROM, no bytes.
set(bytes "")
if(FROM)
  file(READ ${FROM} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
endif()
file(WRITE ${TO} "/* Generated. */
#include \"remote/descriptors.h\"
const size_t ${NAME}_size = sizeof(const unsigned char[]){${bytes} 0} - 1;
const unsigned char ${NAME}[] = {${bytes} 0};
")
