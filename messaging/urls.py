"""``/api/v1/``: messages, conversations, presence, events, blocks and people."""

from django.urls import URLPattern, URLResolver, path

from .views import conversations, events, messages, people, presence, receipts

urlpatterns: list[URLPattern | URLResolver] = [
    path("messages/", messages.MessageListView.as_view(), name="messages"),
    path("messages/read/", receipts.ReadView.as_view(), name="messages-read"),
    path("messages/unread/", receipts.UnreadView.as_view(), name="messages-unread"),
    path("messages/<int:pk>/", messages.MessageView.as_view(), name="message"),
    path("messages/<int:pk>/read/", receipts.MessageReadView.as_view(), name="message-read"),
    path("messages/<int:pk>/recipients/", messages.RecipientListView.as_view(), name="message-recipients"),
    path("conversations/", conversations.ConversationListView.as_view(), name="conversations"),
    path("presence/", presence.PresenceView.as_view(), name="presence"),
    path("events/", events.EventsView.as_view(), name="events"),
    path("blocks/", people.BlockListView.as_view(), name="blocks"),
    path("blocks/<str:usercode>/", people.BlockView.as_view(), name="block"),
    path("people/<str:usercode>/", people.PersonView.as_view(), name="person"),
    path("people/<str:usercode>/picture/", people.PictureView.as_view(), name="person-picture"),
]
