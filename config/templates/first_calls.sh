BASE=${BASE:-http://localhost:8000}

# Register
curl -s $BASE/api/v1/auth/register/ -H 'Content-Type: application/json' \
  -d '{"email": "ada@example.org", "username": "ada", "password": "a fine long secret"}'

# Sign in, after you opened the link in the e-mail
TOKEN=$(curl -s $BASE/api/v1/auth/login/ -H 'Content-Type: application/json' \
  -d '{"email": "ada@example.org", "password": "a fine long secret"}' \
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access"])')

# Create a note
curl -s $BASE/api/v1/notes/ -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"title": "Groceries", "items": [{"text": "Olives"}, {"text": "Bread"}]}'
