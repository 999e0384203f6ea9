#!/usr/bin/env bash
# An authority for builders, what they show, and what shows to them who may build:
#   certificates.sh FOLDER [NAME...]
# NAME is a host name that builders are reached by; the names of amd64.yaml and arm64.yaml where none is given. In FOLDER, which
# has to be new, are then authority/, server/ and client/. Run again with the authority that is there, it makes the other two anew.
set -euo pipefail

folder=${1:?certificates.sh FOLDER [NAME...]}
shift
names=("$@")
if ((${#names[@]} == 0)); then
  names=('*.buildkit-amd64.builders.svc.cluster.local' '*.buildkit-arm64.builders.svc.cluster.local')
fi

umask 077
mkdir -p "$folder"
cd "$folder"

# new WHO: a key and a request for it.
new() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1/key.pem" -out "$1/request.pem" 2>/dev/null
}

if [[ ! -f authority/key.pem ]]; then
  mkdir authority
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1825 -subj '/CN=builders' \
    -addext basicConstraints=critical,CA:true,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout authority/key.pem -out authority/ca.pem 2>/dev/null
fi

rm -rf server client
mkdir server client
alternatives=$(printf ',DNS:%s' "${names[@]}")
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:false\n' "${alternatives#,}" >server/extensions
printf 'extendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:false\n' >client/extensions
for who in server client; do
  new "$who"
  openssl x509 -req -days 90 -in "$who/request.pem" -CA authority/ca.pem -CAkey authority/key.pem -CAcreateserial \
    -extfile "$who/extensions" -out "$who/cert.pem" 2>/dev/null
  cp authority/ca.pem "$who/ca.pem"
  rm "$who/request.pem" "$who/extensions"
done
echo "$folder: server/ is for the builders, client/ for those who may build, and authority/key.pem for nobody else"
