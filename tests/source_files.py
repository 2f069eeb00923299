"""Small files of every source, written by us in the shape that its vendor gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# One ticket answered after an hour, with a private note before; one never answered; one that the company opened.
ZENDESK = {
    "tickets.csv": """\
id,created_at,description,subject,requester_id,submitter_id,assignee_id,group_id,brand_id,status,is_public,via_channel
1,2026-01-05 09:00:00,My parcel is lost,Parcel,20,20,10,7,5,open,TRUE,email
2,2026-01-05 10:00:00,Nobody helps me,Help,21,21,,7,5,closed,TRUE,chat
3,2026-01-05 11:00:00,Your contract ends,Contract,20,10,10,7,5,solved,TRUE,web
""",
    "comments.csv": """\
id,ticket_id,user_id,body,public,created
100,1,20,My parcel is lost,TRUE,2026-01-05 09:00:01
101,1,10,who takes this?,FALSE,2026-01-05 09:30:00
102,1,10,It arrives today,TRUE,2026-01-05 10:00:00
103,1,20,Thank you,TRUE,2026-01-05 10:10:00
104,9,20,Of no ticket here,TRUE,2026-01-05 10:10:00
105,1,99,Of nobody known,TRUE,2026-01-05 10:10:00
106,2,21,Nobody helps me,TRUE,2026-01-05 10:00:00
""",
    "users.csv": """\
id,name,email,role,organization_id,phone
10,Bo,bo@acme.example,agent,,
20,Ann,ann@mail.example,end-user,,+44 20 7946 0001
21,Ben,ben@mail.example,end-user,,
""",
    "groups.csv": "id,name,created_at,updated_at,url\n7,Parcels,2025-01-01 00:00:00,2025-01-01 00:00:00,x\n",
    "brands.csv": "id,name,subdomain,url\n5,Acme,acme,x\n",
}
ZENDESK_JSON = {
    "tickets.json": {
        "tickets": [
            {
                "id": 1, "created_at": "2026-01-05T09:00:00Z", "description": "My parcel is lost", "subject": "Parcel",
                "requester_id": 20, "submitter_id": 20, "assignee_id": 10, "group_id": 7, "brand_id": 5,
                "status": "open", "via": {"channel": "email"},
            },
        ],
        "users": [
            {"id": 10, "name": "Bo", "email": "bo@acme.example", "role": "agent", "organization_id": None},
            {"id": 20, "name": "Ann", "email": "ann@mail.example", "role": "end-user", "organization_id": None},
        ],
        "count": 1,
        "next_page": None,
    },
    "ticket_events.json": {
        "ticket_events": [
            {
                "id": 500, "ticket_id": 1, "timestamp": 1767603600, "updater_id": 20, "created_at": "2026-01-05T09:00:00Z",
                "child_events": [
                    {"id": 501, "event_type": "Create", "status": "new"},
                    {
                        "id": 502, "event_type": "Comment", "author_id": 20, "body": "My parcel is lost", "public": True,
                        "created_at": "2026-01-05T09:00:00Z",
                    },
                ],
            },
            {
                "id": 510, "ticket_id": 1, "timestamp": 1767607200, "updater_id": 10, "created_at": "2026-01-05T10:00:00Z",
                "child_events": [
                    {"id": 511, "event_type": "Comment", "author_id": 10, "body": "It arrives today", "public": True},
                ],
            },
        ],
        "end_of_stream": True,
    },
}  # fmt: skip
ZENDESK_METRICS = {
    "metrics.csv": """\
ticket_id,created_timestamp,status,first_solved_at,ticket_brand,ticket_channel,ticket_group,assignee_name,first_reply_time_calendar_minutes
1,2026-01-05 09:00:00.000000,solved,2026-01-06 09:00:00.000000,Acme,email,Mail,Bo,60.5
2,2026-01-05 09:00:00.000000,open,,Acme,our own app,Mail,,
3,2026-01-05 09:00:00.000000,solved,2026-01-04 09:00:00.000000,Acme,email,Mail,Bo,
"""
}
INTERCOM = {
    "conversation.csv": """\
id,updated_at,created_at,state,source_author_id,source_author_type,source_type,source_body,source_subject,assignee_id,assignee_type
50,2026-01-05 09:00:00,2026-01-05 09:00:00,open,c1,user,conversation,<p>Where is it?</p>,,a1,admin
50,2026-01-05 12:00:00,2026-01-05 09:00:00,closed,c1,user,conversation,<p>Where is it?</p>,,a1,admin
51,2026-01-05 10:00:00,2026-01-05 10:00:00,open,c1,lead,email,<p>Hello?</p>,Billing,,
""",
    "part.csv": """\
id,conversation_id,author_id,author_type,part_type,created_at,body
60,50,b1,bot,comment,2026-01-05 09:00:02,We will be with you
61,50,a1,admin,note,2026-01-05 09:05:00,ask the depot
62,50,a1,admin,comment,2026-01-05 09:10:00,<p>On its way</p>
63,50,a1,admin,close,2026-01-05 12:00:00,
""",
    "contact.csv": "id,role,email,phone,name,external_id,workspace_id\nc1,user,ann@mail.example,,Ann,,w\n",
    "admin.csv": "id,job_title,email,name\na1,,bo@acme.example,Bo\n",
    "team.csv": "id,name,_fivetran_deleted\n8,Support,FALSE\n",
    "team_admin.csv": "admin_id,team_id\na1,8\n",
}
INTERCOM_JSON = {
    "conversations.json": {
        "type": "conversation.list",
        "conversations": [
            {
                "type": "conversation", "id": "50", "created_at": 1767603600, "updated_at": 1767614400, "state": "closed",
                "source": {
                    "type": "email", "subject": "<p>Parcel</p>", "body": "<p>Where is it?</p>",
                    "author": {"type": "user", "id": "c1", "name": "Ann", "email": "ann@mail.example"},
                },
                "statistics": {"last_close_at": 1767614400},
                "conversation_parts": {
                    "conversation_parts": [
                        {
                            "id": "62", "part_type": "comment", "body": "On its way", "created_at": 1767604200,
                            "author": {"type": "admin", "id": "a1", "name": "Bo"},
                        },
                    ],
                },
            },
        ],
    },
}  # fmt: skip
FRESHDESK = {
    "tickets.json": [
        {
            "id": 1, "created_at": "2026-01-05T09:00:00Z", "subject": "Parcel", "description_text": "It is lost",
            "requester_id": 20, "responder_id": 10, "group_id": 7, "source": 1, "status": 4, "spam": False,
            "stats": {"first_responded_at": "2026-01-05T10:00:00Z", "resolved_at": "2026-01-05T11:00:00Z"},
        },
        {
            "id": 2, "created_at": "2026-01-05T09:00:00Z", "subject": "Win money", "requester_id": 21,
            "responder_id": None, "group_id": None, "source": 2, "status": 2, "spam": True,
        },
    ],
    "conversations.json": [
        {
            "id": 30, "ticket_id": 1, "incoming": False, "private": True, "user_id": 10, "body_text": "who takes this?",
            "created_at": "2026-01-05T09:10:00Z",
        },
        {
            "id": 31, "ticket_id": 1, "incoming": False, "private": False, "user_id": 10, "body_text": "Found it",
            "created_at": "2026-01-05T09:30:00Z",
        },
    ],
    "contacts.json": [
        {"id": 20, "name": "Ann", "email": "ann@mail.example", "mobile": None, "phone": "+442079460001", "active": True}
    ],
    "agents.json": [{"id": 10, "ticket_scope": 1, "contact": {"name": "Bo", "email": "bo@acme.example"}}],
    "groups.json": [{"id": 7, "name": "Parcels", "unassigned_for": None, "escalate_to": None}],
}  # fmt: skip
FRESHDESK_OLD = {
    "tickets.json": [
        {
            "helpdesk_ticket": {
                "id": 900, "display_id": 1, "created_at": "2026-01-05T10:00:00+01:00", "description": "It is lost",
                "subject": "Parcel", "requester_id": 20, "requester_name": "Ann", "responder_id": 10,
                "responder_name": "Bo", "source": 3, "status": 2, "status_name": "Open", "ticket_type": "Question",
                "notes": [
                    {
                        "note": {
                            "id": 31, "incoming": False, "private": False, "user_id": 10, "body": "Found it",
                            "created_at": "2026-01-05T10:30:00+01:00",
                        }
                    }
                ],
            }
        }
    ],
}  # fmt: skip
FRESHDESK_CSV = {
    "tickets.csv": """\
Ticket ID,Subject,Status,Source,Created time,Initial response time,Resolved time,Agent,Group,Full name,Email
1,Parcel lost,Closed,Email,2026-01-05 09:00:00,2026-01-05 09:30:00,2026-01-06 09:00:00,Bo,Parcels,Ann,ann@mail.example
2,Help,Open,Portal,2026-01-05 09:00:00,,,,Parcels,Ben,ben@mail.example
"""
}
CHATWOOT = {
    "conversations.json": {
        "data": {
            "meta": {"all_count": 1},
            "payload": [
                {
                    "id": 5, "inbox_id": 1, "status": "open", "created_at": 1767603600,
                    "meta": {
                        "channel": "Channel::WebWidget", "team": {"id": 1, "name": "Web"},
                        "sender": {"id": 20, "name": "Ann", "email": "ann@mail.example", "phone_number": None},
                    },
                    "messages": [
                        {
                            "id": 92, "content": "On its way", "message_type": 1, "created_at": 1767604200,
                            "private": False, "sender": {"id": 10, "name": "Bo", "type": "user"},
                        },
                    ],
                },
            ],
        },
    },
    "messages.json": {
        "meta": {},
        "payload": [
            {
                "id": 90, "conversation_id": 5, "content": "Where is it?", "message_type": 0, "created_at": 1767603600,
                "private": False, "sender": {"id": 20, "type": "contact"},
            },
            {"id": 91, "conversation_id": 5, "content": "Hello!", "message_type": 3, "created_at": 1767603601},
            {"id": 93, "conversation_id": 5, "content": "Bo joined", "message_type": 2, "created_at": 1767603700},
            {
                "id": 92, "conversation_id": 5, "content": "On its way", "message_type": 1, "created_at": 1767604200,
                "private": False, "sender": {"id": 10, "name": "Bo", "type": "user"},
            },
        ],
    },
}  # fmt: skip
CFPB = {
    "complaints.csv": """\
Date received,Product,Issue,Consumer complaint narrative,Company,Tags,Submitted via,Company response to consumer,Timely response?,Complaint ID
2026/1/5,Mortgage,Fees,They charge me twice,ACME BANK,Older American,Web,Closed with explanation,Yes,7001
01/06/2026,Mortgage,Fees,,ACME BANK,,Postal mail,In progress,,7002
2026-01-07,Mortgage,Fees,,ACME BANK,,Carrier pigeon,Closed,No,7003
soon,Mortgage,Fees,,ACME BANK,,Phone,Closed,Yes,7004
"""
}
SF311 = {
    "cases.csv": """\
unique_key,created_date,closed_date,status,agency_name,category,complaint_type,source
1,2026-01-05 09:00:00 UTC,2026-01-06 09:00:00 UTC,Closed,Streets,Pothole,Pothole in road,Phone
2,2026-01-05 10:00:00 UTC,,Open,Streets,Noise,Noise,Twitter
3,2026-01-05 10:00:00 UTC,2026-01-04 09:00:00 UTC,Closed,Streets,Noise,Noise,Fax machine
"""
}
GEOREPORT = {
    "requests.json": [
        {
            "service_request_id": "638344", "status": "closed", "service_name": "Sidewalk repair", "description": "A hole",
            "agency_responsible": "Streets", "requested_datetime": "2026-01-05T06:37:38-08:00",
            "updated_datetime": "2026-01-06T06:37:38-08:00",
        }
    ]
}  # fmt: skip
CALLS = {
    "calls.csv": """\
call_id,offered_at,outcome,wait_seconds,talk_seconds,queue,agent,caller,brand
1,2026-01-05T09:00:00Z,answered,15,300,Billing,Bo,+442079460001,Acme
2,2026-01-05T09:01:00Z,abandoned,95,,Billing,,+442079460002,Acme
3,2026-01-05T09:02:00Z,no answer,120,,Sales,,,Acme
4,2026-01-05T09:03:00Z,teleported,1,,Sales,,,Acme
5,2026-01-05T09:04:00Z,answered,-3,10,Sales,Bo,,Acme
"""
}
QUESTION = """\
From: Ann <ann@mail.example>
To: support@acme.example
Date: Mon, 5 Jan 2026 10:00:00 +0100
Message-ID: <q1@mail.example>
Subject: =?utf-8?q?My_parcel_is_lost?=
Content-Type: text/plain; charset="no-such-charset"

Where is my caf\xe9 order?
"""
RECEIPT = """\
From: support@acme.example
To: ann@mail.example
Date: Mon, 5 Jan 2026 09:00:05 +0000
Message-ID: <r1@acme.example>
In-Reply-To: <q1@mail.example>
Auto-Submitted: auto-replied
Subject: We got your message

Thank you for writing.
"""
REPLY = """\
From: "Bo of Acme" <support@acme.example>
To: ann@mail.example
Date: Mon, 5 Jan 2026 10:30:00 +0000
Message-ID: <a1@acme.example>
References: <q1@mail.example> <r1@acme.example>
Subject: Re: My parcel is lost
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

It arrives today.

On Mon, 5 Jan 2026 at 10:00, Ann wrote:
> Where is it?
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename=a.pdf

JVBERi0=
--b--
"""
MAIL = {
    "inbox.mbox": f"From ann@mail.example Mon Jan  5 10:00:00 2026\n{QUESTION}\n"
    "From nobody Mon Jan  5 10:00:00 2026\nFrom: ben@mail.example\nTo: support@acme.example\nDate: some day\n\nHello\n",
    "sent/1.eml": RECEIPT,
    "sent/2.eml": REPLY,
}
FOLDERS: dict[str, dict[str, Mapping[str, object]]] = {
    "zendesk": {"tables": ZENDESK, "json": ZENDESK_JSON, "metrics": ZENDESK_METRICS},
    "intercom": {"tables": INTERCOM, "json": INTERCOM_JSON},
    "freshdesk": {"json": FRESHDESK, "old": FRESHDESK_OLD, "csv": FRESHDESK_CSV},
    "chatwoot": {"json": CHATWOOT},
    "cfpb": {"csv": CFPB},
    "open311": {"sf311": SF311, "georeport": GEOREPORT},
    "calls": {"csv": CALLS},
    "mail": {"folder": MAIL},
}


def as_bytes(content: object) -> bytes:
    """What a file holds: texts as Latin-1 (so that some are no UTF-8), else JSON."""
    return content.encode("latin-1") if isinstance(content, str) else json.dumps(content, indent=1).encode()


def write_files(folder: Path, files: Mapping[str, object]) -> Path:
    """The files in a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))
    return folder
