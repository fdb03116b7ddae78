"""The dashboard: `streamlit run app.py`. The server imports this file; visiting Start runs it."""

import streamlit as st
from starlette.middleware import Middleware

from deconv_dashboard.server.browser import opened_in_browser
from deconv_dashboard.server.own_pages import OwnPagesOnly

if __name__ == "__main__":
    from deconv_dashboard.start.page import start_page

    start_page()
else:
    app = st.App(__file__, middleware=[Middleware(OwnPagesOnly)], lifespan=opened_in_browser)
