/**
 * Libraries that a Kairos core image carries in the dynamic linker's default folders, by soname.
 *
 * How the list was made: the packages that kairos-init v0.16.4 installs into a Debian 13 (trixie) core image for every model, on a
 * minimal system (all Essential packages, apt and ca-certificates), with everything they depend on but without what is only
 * recommended (apt-get --no-install-recommends --simulate: 335 packages, Debian 13.7); from the archive's Contents-amd64 every
 * shared library of these packages directly below /usr/lib or /usr/lib/x86_64-linux-gnu, by its shortest versioned name. Plug-ins
 * that no program links against were left out. arm64 has the same names.
 *
 * Other flavours carry other sets, and some a C library that is not glibc; only a static program runs on all of them.
 */
const NAMES = `
libBrokenLocale.so.1 libICE.so.6 libSM.so.6 libX11.so.6 libXau.so.6 libXdmcp.so.6 libXext.so.6
libXmu.so.6 libXmuu.so.1 libXt.so.6 libacl.so.1 libaio.so.1t64 libanl.so.1 libapparmor.so.1
libapt-pkg.so.7.0 libapt-private.so.0.0 libassuan.so.9 libatm.so.1 libatomic.so.1 libattr.so.1
libaudit.so.1 libblkid.so.1 libbpf.so.1 libbrotlicommon.so.1 libbrotlidec.so.1 libbrotlienc.so.1
libbsd.so.0 libbz2.so.1 libc.so.6 libcap-ng.so.0 libcap.so.2 libcbor.so.0.10 libcom_err.so.2
libcrypt.so.1 libcrypto.so.3 libcryptsetup.so.12 libctf-nobfd.so.0 libctf.so.0 libcurl.so.4 libdb-5.3.so
libdbus-1.so.3 libdebconfclient.so.0 libdevmapper.so.1.02.1 libdl.so.2 libduktape.so.207 libe2p.so.2
libedit.so.2 libefiboot.so.1 libefivar.so.1 libelf.so.1 libevent-2.1.so.7 libevent_core-2.1.so.7
libexpat.so.1 libexpatw.so.1 libext2fs.so.2 libffi.so.8 libfido2.so.1 libformw.so.6 libfreetype.so.6
libfuse3.so.4 libgcc_s.so.1 libgcrypt.so.20 libgdbm.so.6 libgdbm_compat.so.4 libgio-2.0.so.0
libglib-2.0.so.0 libgmodule-2.0.so.0 libgmp.so.10 libgnutls.so.30 libgobject-2.0.so.0 libgpg-error.so.0
libgpm.so.2 libgprofng.so.0 libgssapi_krb5.so.2 libgthread-2.0.so.0 libhavege.so.2 libhistory.so.8
libhogweed.so.6 libidn2.so.0 libip4tc.so.2 libip6tc.so.2 libisns.so.0 libjansson.so.4 libjson-c.so.5
libk5crypto.so.3 libkeyutils.so.1 libkmod.so.2 libkrb5.so.3 libkrb5support.so.0 libksba.so.8
liblastlog2.so.2 liblber.so.2 libldap.so.2 liblldpctl.so.4 libluajit-5.1.so.2 liblz4.so.1 liblzma.so.5
liblzo2.so.2 libm.so.6 libmd.so.0 libmenuw.so.6 libmnl.so.0 libmount.so.1 libmpathcmd.so.0
libmpathpersist.so.0 libmpathutil.so.0 libmsgpack-c.so.2 libmultipath.so.0 libmvec.so.1 libncursesw.so.6
libnetfilter_conntrack.so.3 libnetsnmp.so.40 libnetsnmpagent.so.40 libnetsnmphelpers.so.40
libnetsnmpmibs.so.40 libnettle.so.8 libnfnetlink.so.0 libnfsidmap.so.1 libnftables.so.1 libnftnl.so.11
libnghttp2.so.14 libnghttp3.so.9 libnl-3.so.200 libnl-genl-3.so.200 libnpth.so.0 libnsl.so.1
libnss_compat.so.2 libnss_dns.so.2 libnss_files.so.2 libnss_hesiod.so.2 libnss_systemd.so.2
libopeniscsiusr.so.0 libp11-kit.so.0 libpam.so.0 libpam_misc.so.0 libpamc.so.0 libpanelw.so.6
libpci.so.3 libpcre2-8.so.0 libperl.so.5.40 libpkgconf.so.3 libpng16.so.16 libpolkit-agent-1.so.0
libpolkit-gobject-1.so.0 libpopt.so.0 libproc2.so.0 libpsl.so.5 libpsx.so.2 libpthread.so.0
libreadline.so.8 libresolv.so.2 librt.so.1 librtmp.so.1 libsasl2.so.2 libseccomp.so.2 libselinux.so.1
libsemanage.so.2 libsensors.so.5 libsepol.so.2 libsframe.so.1 libsgutils2-1.48.so.2 libsmartcols.so.1
libsnmp.so.40 libsqlite3.so.0 libss.so.2 libssh2.so.1 libssl.so.3 libstdc++.so.6 libsystemd.so.0
libtasn1.so.6 libthread_db.so.1 libtic.so.6 libtinfo.so.6 libtirpc.so.3 libtree-sitter.so.0 libudev.so.1
libunibilium.so.4 libunistring.so.5 liburcu-bp.so.8 liburcu-cds.so.8 liburcu-common.so.8 liburcu-mb.so.8
liburcu-memb.so.8 liburcu-qsbr.so.8 liburcu.so.8 libutil.so.1 libuuid.so.1 libuv.so.1 libvterm.so.0
libwrap.so.0 libwtmpdb.so.0 libxcb.so.1 libxml2.so.2 libxtables.so.12 libxxhash.so.0 libz.so.1
libzstd.so.1`;

export const CORE_LIBRARIES: ReadonlySet<string> = new Set(NAMES.trim().split(/\s+/));
