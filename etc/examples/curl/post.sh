#!/bin/sh
# Posting to a feed with curl, on behalf of a user, through feedd itself.
#
#   BACKEND_KEY_FILE=/etc/feedd/backend.key sh post.sh alice '{"text": "héllo"}'
#
# The Idempotency-Key makes the repeats harmless: whatever became of the first try, there is one post. The backend key comes to curl by
# its standard input, as everybody on the machine can read a command line.
set -eu

author=$1
body=$2 # JSON, an object
feedd=${FEEDD:-http://127.0.0.1:8080}
key=$(cat /proc/sys/kernel/random/uuid)

{ printf 'Authorization: Bearer '; cat "$BACKEND_KEY_FILE"; echo; } |
    curl --silent --show-error --fail-with-body --max-time 10 --retry 5 --retry-connrefused \
        --header @- --header 'Content-Type: application/json' --header "Idempotency-Key: $key" \
        --data-binary "{\"author\": \"$author\", \"body\": $body}" "$feedd/api/posts"
