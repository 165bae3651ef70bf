# What an installation holds: both libraries, headers, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS troupe troupe_static troupe_test EXPORT TroupeTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/troupe ${PROJECT_BINARY_DIR}/include/troupe
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT TroupeTargets NAMESPACE Troupe::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)

configure_package_config_file(cmake/TroupeConfig.cmake.in TroupeConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)
write_basic_package_version_file(TroupeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TroupeConfig.cmake ${PROJECT_BINARY_DIR}/TroupeConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Troupe)

file(RELATIVE_PATH TROUPE_PC_TO_PREFIX /root/${CMAKE_INSTALL_LIBDIR}/pkgconfig /root)
configure_file(cmake/troupe.pc.in troupe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(cmake/troupe_test.pc.in troupe_test.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/troupe_test.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
