# The dashboard for other computers: CPU only, not as root, folders restricted. See docs/serving.md.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /app

# PyTorch without CUDA comes from PyTorch's own index; the rest from PyPI, at the tested versions.
COPY requirements.txt requirements.lock ./
RUN python -m pip install --constraint requirements.lock \
        --extra-index-url https://download.pytorch.org/whl/cpu \
        torch==2.14.1+cpu torchvision==0.29.1+cpu \
    && python -m pip install --requirement requirements.txt --constraint requirements.lock

# The program belongs to root: the user it runs as can write to /data only.
RUN useradd --create-home --uid 10001 --user-group deconv \
    && install --directory --owner deconv --group deconv /data \
    && install --directory /photos
COPY .streamlit .streamlit
COPY app.py ./
COPY pages pages
COPY deconv_dashboard deconv_dashboard
COPY deconv_core deconv_core

USER 10001
# Other computers reach the server, so only what DECONV_FOLDERS lists is offered. It answers to IP
# addresses; give it the names people use, with blanks between them:
#   docker run -e STREAMLIT_SERVER_ALLOWED_HOSTS="photos.example.org" ...
ENV DECONV_HOME=/data \
    DECONV_FOLDERS=/photos \
    DECONV_UPLOADS_MB=5000 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_MAX_UPLOAD_SIZE=500
VOLUME ["/data"]
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

CMD ["python", "-m", "streamlit", "run", "app.py"]
