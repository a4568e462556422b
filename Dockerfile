# One image for web, worker, beat and the one-shot preparation; docker-compose.yml says which container does what.
FROM python:3.13-slim

ENV PORTAL_SKIP_VENV=1 \
    PORTAL_DATA_DIR=/data \
    PORTAL_BIND=0.0.0.0:8000 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1

RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent slipway \
    && install -d -o slipway -g slipway -m 0700 /data

WORKDIR /app
COPY requirements.txt .
RUN pip install --disable-pip-version-check -r requirements.txt
COPY . .
RUN python -m compileall -q manage.py portal registry inference

USER slipway
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "portal.local.probe"]
CMD ["python", "-m", "gunicorn", "-c", "portal/gunicorn.conf.py", "portal.asgi:application"]
