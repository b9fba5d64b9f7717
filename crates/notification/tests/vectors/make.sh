#!/bin/sh
# Makes the files of this folder anew with the openssl command line: certificates as SNS publishes them, under a root
# of our own, and envelopes signed with their key. The private keys are thrown away.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

topic='arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1'
message='{"action":"subscribe-success","customer-identifier":"X01EXAMPLEX","product-code":"prod1","offer-identifier":"offer-abcexample123","isFreeTrialTermPresent":"true"}'
id='22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324'
time='2026-11-22T10:00:00.123Z'

key() {
    openssl genrsa -out "$keys/$1.key" 2048 2>/dev/null
}

root() { # name, common name
    key "$1"
    openssl req -x509 -new -key "$keys/$1.key" -sha256 -days 40000 -subj "/O=Stallkeeper tests/CN=$2" \
        -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$1.pem"
}

issue() { # name, common name, issuer, extensions
    key "$1"
    openssl req -new -key "$keys/$1.key" -subj "/O=Stallkeeper tests/CN=$2" -out "$keys/$1.csr"
    printf '%s\n' "$4" > "$keys/$1.ext"
    openssl x509 -req -in "$keys/$1.csr" -CA "$3.pem" -CAkey "$keys/$3.key" -set_serial "0x$(openssl rand -hex 12)" \
        -sha256 -days 36500 -extfile "$keys/$1.ext" -out "$1.pem" 2>/dev/null
}

leaf() { # name, DNS name, purpose
    issue "$1" "$2" intermediate "basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=$3
subjectAltName=DNS:$2"
}

string_to_sign() { # subject
    printf 'Message\n%s\nMessageId\n%s\n' "$message" "$id"
    if [ -n "$1" ]; then printf 'Subject\n%s\n' "$1"; fi
    printf 'Timestamp\n%s\nTopicArn\n%s\nType\nNotification\n' "$time" "$topic"
}

envelope() { # file, version, digest, subject
    signature=$(string_to_sign "$4" | openssl dgst "-$3" -sign "$keys/leaf.key" | openssl base64 -A)
    {
        printf '{\n  "Type": "Notification",\n  "MessageId": "%s",\n  "TopicArn": "%s",\n' "$id" "$topic"
        if [ -n "$4" ]; then printf '  "Subject": "%s",\n' "$4"; fi
        printf '  "Message": "%s",\n' "$(printf '%s' "$message" | sed 's/"/\\"/g')"
        printf '  "Timestamp": "%s",\n  "SignatureVersion": "%s",\n  "Signature": "%s",\n' "$time" "$2" "$signature"
        printf '  "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem",\n'
        printf '  "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"\n}\n'
    } > "$1"
}

root root 'Root'
root other-root 'Another root'
issue intermediate 'Intermediate' root 'basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign'
leaf leaf sns.amazonaws.com serverAuth
leaf regional sns-signing.us-east-1.amazonaws.com serverAuth
leaf china sns-cn-north-1.amazonaws.com.cn serverAuth
leaf wrong-name sqs.amazonaws.com serverAuth
leaf wrong-purpose sns.amazonaws.com clientAuth
for name in leaf regional china wrong-name wrong-purpose; do
    cat "$name.pem" intermediate.pem > "$name-chain.pem"
    if [ "$name" != leaf ]; then rm "$name.pem"; fi
done

envelope v1.json 1 sha1 ''
envelope v1-subject.json 1 sha1 'A subject'
envelope v2.json 2 sha256 ''
envelope v2-subject.json 2 sha256 'A subject'
