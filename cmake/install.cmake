# What an installation holds: both libraries, headers, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS troupe troupe_static troupe_node troupe_node_static troupe_test EXPORT TroupeTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/troupe ${PROJECT_BINARY_DIR}/include/troupe
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
set(TROUPE_INSTALLED_PROTO_DIR ${CMAKE_INSTALL_DATADIR}/troupe/proto)
set(TROUPE_PC_MESSAGES "")
if(TROUPE_MESSAGES)
  install(TARGETS protoc-gen-troupe EXPORT TroupeTargets DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES proto/troupe/options.proto DESTINATION ${TROUPE_INSTALLED_PROTO_DIR}/troupe)
  install(FILES cmake/TroupeMessages.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)
  string(APPEND TROUPE_PC_MESSAGES
         "protoc_gen_troupe=\${prefix}/${CMAKE_INSTALL_BINDIR}/protoc-gen-troupe\n"
         "protodir=\${prefix}/${TROUPE_INSTALLED_PROTO_DIR}\n")
endif()
install(EXPORT TroupeTargets NAMESPACE Troupe::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)

configure_package_config_file(cmake/TroupeConfig.cmake.in TroupeConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe
                              PATH_VARS TROUPE_INSTALLED_PROTO_DIR)
write_basic_package_version_file(TroupeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TroupeConfig.cmake ${PROJECT_BINARY_DIR}/TroupeConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)

file(RELATIVE_PATH TROUPE_PC_TO_PREFIX /root/${CMAKE_INSTALL_LIBDIR}/pkgconfig /root)
configure_file(cmake/troupe.pc.in troupe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(cmake/troupe_node.pc.in troupe_node.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe_node.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(cmake/troupe_test.pc.in troupe_test.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe_test.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
