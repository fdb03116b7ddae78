"""The address that a page shows, while the browser is behind."""

from streamlit.testing.v1 import AppTest

from tests.app.conftest import PAGES, Home, OpenPage, key_now


def behind() -> None:
    """A page that sees a change of a job while the browser still has the previous address."""
    import streamlit as st

    from deconv_dashboard.frame import address
    from deconv_dashboard.frame.job_rows import watched

    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        address.settle("start", {"network": "n", "dataset": "old"})
        address.visit("start", dataset="new")  # as the callback of a button
    shown = address.asked("start")
    address.settle("start", shown)
    st.text(shown["dataset"])
    looks = st.session_state.setdefault("looks", [])

    def look() -> int:
        looks.append(1)
        if len(looks) == 2:  # the fragment's own look, with what its request brought along
            st.query_params["dataset"] = "old"
        return min(len(looks), 2)

    watched(look, lambda seen: None, jobs=lambda seen: [], also=lambda: len(looks) >= 2)


def test_a_watch_does_not_go_back_to_the_address_before() -> None:
    app = AppTest.from_function(behind).run()
    assert not app.exception
    assert len(app.session_state["looks"]) > 2  # the page did run again
    assert app.text[0].value == "new"
    assert app.query_params["dataset"] == "new"


def mirrored() -> None:
    """A picker of the address beside a button that changes the address; and a field."""
    import streamlit as st

    from deconv_dashboard.frame import address
    from deconv_dashboard.frame.widget_keys import key_showing, set_widget, widget_key

    shown = address.asked("start")
    address.settle("start", shown)
    st.selectbox(
        "Dataset",
        ["old", "new"],
        key=key_showing("pick_dataset", shown["dataset"]),
        on_change=lambda: address.visit(
            "start", dataset=st.session_state[widget_key("pick_dataset")]
        ),
    )
    st.text_input("Folder", key=widget_key("folder_path"))

    def use() -> None:
        address.visit("start", dataset="new")
        set_widget("folder_path", "")

    st.button("Use", on_click=use)
    st.text(shown["dataset"])


def test_a_browser_that_is_behind_takes_nothing_back() -> None:
    """It sends the values of all widgets as they were before the last press."""
    app = AppTest.from_function(mirrored)
    app.query_params["dataset"] = "old"
    app.run()
    app.text_input[0].input("/pictures").run()
    behind = app._tree.get_widget_states()
    app.button[0].click().run()
    assert app.text[0].value == "new"
    app._tree.get_widget_states = lambda: behind  # type: ignore[method-assign]
    app.run()
    assert app.text[0].value == "new"
    assert app.selectbox[0].value == "new"
    assert app.text_input[0].value == ""


def test_a_person_changes_the_picker_and_it_stays_the_same_widget() -> None:
    app = AppTest.from_function(mirrored)
    app.query_params["dataset"] = "old"
    app.run()
    before = app.selectbox[0].id
    app.selectbox[0].select("new").run()
    assert app.text[0].value == "new"
    assert app.selectbox[0].id == before
    app.selectbox[0].select("old").run()
    assert app.text[0].value == "old"


def test_the_sidebar_names_what_the_page_shows_on_page_after_page(
    open_page: OpenPage, home: Home
) -> None:
    app = open_page("layer", layer="conv3_2")
    for page in ("method", "export", "layer", "method"):
        app.switch_page(PAGES[page])
        for name, text in home.names.items():
            app.query_params[name] = text
        app.run()
        assert app.selectbox(key=key_now(app, "pick_dataset")).value == home.dataset.dataset_id
        assert app.selectbox(key=key_now(app, "pick_network")).value == home.network.network_id


def test_a_renamed_dataset_has_a_new_picker(open_page: OpenPage, home: Home) -> None:
    # A browser goes on sending the old name with every click, as if it had been chosen.
    app = open_page("method")
    before = key_now(app, "pick_dataset")
    home.registry.rename_dataset(home.dataset, "Another name")
    try:
        app.run()
        assert key_now(app, "pick_dataset") != before
        assert app.selectbox(key=key_now(app, "pick_dataset")).value == home.dataset.dataset_id
    finally:
        home.registry.rename_dataset(home.dataset, home.dataset.name)
