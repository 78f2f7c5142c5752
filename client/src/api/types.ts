// Written by `npm run types` from /openapi.json. Do not edit; a test fails when it is stale.

export interface paths {
    "/api/v1/bindings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The platform identity of this session belongs to the person who was proved (P3). */
        post: operations["post_binding"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/bindings/{kind}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** That platform identity is the person's no longer, and the sessions it opened are over. */
        delete: operations["delete_binding"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/doors/{door_code}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What somebody who scans this door is shown: the place, what is open there, what is commonly broken (R1). */
        get: operations["get_door"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/fault-types": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What can be reported, as a tree; only what has no children can be chosen (R4). */
        get: operations["get_fault_types"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inbox": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the person was told, newest first. */
        get: operations["get_inbox"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inbox/{notice_id}/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** That notice is read. Reading it again changes nothing; somebody else's is not found. */
        post: operations["post_read"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inbox/read-all": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Every notice of the person is read. */
        post: operations["post_read_all"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inbox/unread": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many notices the person has not opened. */
        get: operations["get_unread"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/code": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The person to whom an operator gave this one-time code is signed in (P3). */
        post: operations["post_login_code"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/mini": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The holder of a `wx.login` code is signed in. */
        post: operations["post_login_mini"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/official": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Who came back from the official account's sign-in is signed in. A snapshot-page visitor is not (P11). */
        post: operations["post_login_official"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/official/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where a browser inside WeChat says who it is; it comes back to /m/ with code and state. */
        get: operations["get_login_official_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/sso": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Whom the campus sign-in knows is signed in; the ticket is good once, within five minutes. */
        post: operations["post_login_sso"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/sso/return": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The browser comes back from the campus sign-in and goes on to the client, with a ticket or with what went wrong. */
        get: operations["get_login_sso_return"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/sso/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where a browser signs in at the campus; it comes back to the client with a ticket. */
        get: operations["get_login_sso_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/wecom": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The WeCom member who came back is signed in. */
        post: operations["post_login_wecom"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/wecom/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where a browser inside WeCom says who it is; it comes back to /m/ with code and state. */
        get: operations["get_login_wecom_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The session is over; its token opens nothing any more. */
        post: operations["post_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is asking, as the campus knows them. 403 `binding_needed` while the session is nobody's yet. */
        get: operations["get_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/consents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The person agreed to this version of the privacy text (P11). */
        post: operations["post_consent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/data": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Everything that is stored about the person, to keep (P8). */
        get: operations["get_me_data"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/phone": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** The person's phone number is this one from now on. Consent comes first (P11). */
        put: operations["put_phone"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/photos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The photo (the raw bytes, at most 10 MB) is checked, written anew without EXIF, and kept under its number.
         * @description It is kept for a day; what a repair refers to stays.
         */
        post: operations["post_photo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/photos/{no}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The photo, for its owner and for those who may see the repair it belongs to. It never changes under its number. */
        get: operations["get_photo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/places": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The places below one, in the order people count; or those that match the words, nearest first. */
        get: operations["get_places"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/places/{code}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One place. */
        get: operations["get_place"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/privacy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The privacy text that is asked to be agreed to, with its version (P11). */
        get: operations["get_privacy"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/public/photos/{no}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The photo, for the platform that checks its content: by a signed address that is good for two hours (P11). */
        get: operations["get_photo_by_key"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/public/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many repairs are open and how many were closed today, to the minute. */
        get: operations["get_public_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The repairs the person filed, or those given to them; newest first. */
        get: operations["get_repairs"];
        put?: never;
        /** The repair is filed and has its number. The same Idempotency-Key again gives the same ticket. */
        post: operations["post_repair"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One repair with its steps, for those who may see it; what the person may do now stands in `actions`. */
        get: operations["get_repair"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The requester accepts the work; the repair is closed (R10). */
        post: operations["post_accept"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/arrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The worker is there, shown by the door code when it was scanned (R9). */
        post: operations["post_arrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The repair is cancelled, before work has begun (R10). */
        post: operations["post_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/cannot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** It cannot be repaired: why, and what should be done, are required (R9). */
        post: operations["post_cannot"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The work is done, for good or for the time being; the requester is asked to accept it (R9). */
        post: operations["post_finish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The requester's marks stand, once per repair (R10). */
        post: operations["post_rate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/refuse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The requester does not accept the work; the worker is told and goes on (R10). */
        post: operations["post_refuse"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/{no}/take": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The worker takes the repair (接单); the requester is told (R9). */
        post: operations["post_take"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/repairs/suggest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is already open at this place of this type, so that it need not be filed twice (R5). */
        get: operations["get_suggest"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/subscriptions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Which templates to ask for in the tap that comes now: those of which nothing is left, at most three. */
        get: operations["get_subscriptions"];
        put?: never;
        /** What the person answered is in the ledger; how many sends each template has left. */
        post: operations["post_subscriptions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/wechat/js-config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What `wx.config` needs on one of our pages. Other people's pages are not signed. */
        get: operations["get_js_config"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** AnswersIn */
        AnswersIn: {
            answers: {
                [key: string]: "accept" | "reject" | "ban";
            };
        };
        /** ArriveIn */
        ArriveIn: {
            door?: string | null;
        };
        /** AskOut */
        AskOut: {
            ask: string[];
        };
        /** BindByCodeIn */
        BindByCodeIn: {
            campus_no: string;
            code: string;
            name: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            way: "code";
        };
        /** BindBySsoIn */
        BindBySsoIn: {
            ticket: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            way: "sso";
        };
        /**
         * BindingIn
         * @description Proof of who somebody is: a one-time code of an operator, or a ticket of the campus sign-in.
         */
        BindingIn: components["schemas"]["BindByCodeIn"] | components["schemas"]["BindBySsoIn"];
        /** CannotIn */
        CannotIn: {
            note: string;
            photos?: string[];
            proposal: string;
        };
        /** CodeIn */
        CodeIn: {
            code: string;
        };
        /** CommonFaultOut */
        CommonFaultOut: {
            code: string;
            emergency: components["schemas"]["EmergencyOut"] | null;
            hint: string | null;
            name: string;
        };
        /** ConsentIn */
        ConsentIn: {
            /** @constant */
            kind: "privacy";
            version: string;
        };
        /** ConsentsOut */
        ConsentsOut: {
            /** @description The version of the privacy text the person agreed to */
            privacy: string | null;
        };
        /** ContactOut */
        ContactOut: {
            name: string | null;
            /** @description Only for those who may: the requester, and the worker while the ticket is open */
            phone: string | null;
            phone_masked: string | null;
        };
        /**
         * DataOut
         * @description What is stored, area by area, in the words of the tables.
         */
        DataOut: {
            [key: string]: unknown;
        };
        /** DoorOut */
        DoorOut: {
            common_faults: components["schemas"]["CommonFaultOut"][];
            equipment: components["schemas"]["PlaceRef"] | null;
            home: boolean;
            open_tickets: components["schemas"]["TicketLineOut"][];
            place: components["schemas"]["PlaceRef"];
        };
        /** EmergencyOut */
        EmergencyOut: {
            phone: string;
            text: string;
        };
        /**
         * EntryIn
         * @description How the room may be entered.
         */
        EntryIn: {
            escort?: boolean;
            nobody_home_ok?: boolean;
            note?: string | null;
        };
        /** EntryOut */
        EntryOut: {
            escort: boolean;
            nobody_home_ok: boolean;
            note: string | null;
        };
        /** FaultOut */
        FaultOut: {
            children: components["schemas"]["FaultOut"][];
            code: string;
            emergency: components["schemas"]["EmergencyOut"] | null;
            hint: string | null;
            name: string;
        };
        /** FaultRef */
        FaultRef: {
            code: string;
            name: string;
        };
        /** FinishIn */
        FinishIn: {
            note?: string | null;
            photos?: string[];
            /** @enum {string} */
            result: "fixed" | "temporary";
        };
        /**
         * IdentityKind
         * @enum {string}
         */
        IdentityKind: "official" | "mini" | "wecom" | "alipay" | "sso";
        /** IdentityOut */
        IdentityOut: {
            kind: components["schemas"]["IdentityKind"];
            /** Format: date-time */
            since: string;
        };
        /** JsConfigOut */
        JsConfigOut: {
            app_id: string;
            js_api_list: string[];
            nonce: string;
            signature: string;
            timestamp: number;
        };
        /** MeOut */
        MeOut: {
            campus_no: string;
            consents: components["schemas"]["ConsentsOut"];
            department: string | null;
            home_place: components["schemas"]["PlaceRef"] | null;
            identities: components["schemas"]["IdentityOut"][];
            kind: components["schemas"]["PersonKind"];
            name: string;
            permissions: string[];
            phone_masked: string | null;
            roles: string[];
            unread: number;
        };
        /** MessageOut */
        MessageOut: {
            /** Format: date-time */
            at: string;
            id: number;
            kind: string;
            page: string | null;
            read: boolean;
            text: string;
            title: string;
        };
        /** MessagesOut */
        MessagesOut: {
            items: components["schemas"]["MessageOut"][];
            next: string | null;
        };
        /**
         * NothingIn
         * @description An empty object.
         */
        NothingIn: Record<string, never>;
        /** OauthIn */
        OauthIn: {
            code: string;
            state: string;
        };
        /** OneTimeCodeIn */
        OneTimeCodeIn: {
            campus_no: string;
            code: string;
            name: string;
        };
        /**
         * PersonKind
         * @enum {string}
         */
        PersonKind: "student" | "staff" | "worker" | "driver" | "visitor";
        /** PhoneGivenIn */
        PhoneGivenIn: {
            wechat_code: string;
        };
        /**
         * PhoneIn
         * @description A number typed in, or the code of WeChat's `getPhoneNumber` button.
         */
        PhoneIn: components["schemas"]["PhoneTypedIn"] | components["schemas"]["PhoneGivenIn"];
        /** PhoneTypedIn */
        PhoneTypedIn: {
            /** @example 13800138000 */
            phone: string;
        };
        /** PhotoOut */
        PhotoOut: {
            height: number;
            no: string;
            url: string;
            width: number;
        };
        /**
         * PlaceKind
         * @enum {string}
         */
        PlaceKind: "campus" | "area" | "building" | "floor" | "room";
        /** PlaceOut */
        PlaceOut: {
            code: string;
            has_children: boolean;
            kind: components["schemas"]["PlaceKind"];
            label: string;
            name: string;
            parent: string | null;
        };
        /** PlaceRef */
        PlaceRef: {
            code: string;
            label: string;
        };
        /** PlacesOut */
        PlacesOut: {
            items: components["schemas"]["PlaceOut"][];
            next: string | null;
        };
        /** PrivacyOut */
        PrivacyOut: {
            text: string;
            title: string;
            version: string;
        };
        /**
         * Problem
         * @description RFC 9457, with a stable code for programs and a Chinese detail for people.
         */
        Problem: {
            code: string;
            detail: string;
            /** @description Field → what is wrong with it */
            fields?: {
                [key: string]: string;
            };
            request_id: string;
            status: number;
            title: string;
            /** @example urn:houqin:problem:invalid */
            type: string;
        };
        /** QuotaOut */
        QuotaOut: {
            quota: {
                [key: string]: number;
            };
        };
        /** RatingIn */
        RatingIn: {
            attitude: number;
            photos?: string[];
            quality: number;
            result: number;
            speed: number;
            text?: string | null;
        };
        /** RatingOut */
        RatingOut: {
            attitude: number;
            quality: number;
            result: number;
            speed: number;
            text: string | null;
        };
        /** ReasonIn */
        ReasonIn: {
            reason: string;
        };
        /** RepairIn */
        RepairIn: {
            /** @description false: refused with 409 already_reported when the same is open here */
            confirm_duplicate?: boolean;
            /** @description true once its number has been shown; else an emergency is refused with 409 emergency (R4) */
            confirmed_emergency?: boolean;
            contact_name?: string | null;
            contact_phone?: string | null;
            door?: string | null;
            entry?: components["schemas"]["EntryIn"] | null;
            fault: string;
            photos?: string[];
            place: string;
            quantity?: number | null;
            severity?: ("minor" | "normal" | "serious") | null;
            text: string;
            window?: components["schemas"]["WindowIn"] | null;
        };
        /**
         * RepairState
         * @enum {string}
         */
        RepairState: "awaiting_approval" | "filed" | "assigned" | "working" | "on_hold" | "done" | "closed" | "rejected" | "cancelled" | "unfixable";
        /** SessionOut */
        SessionOut: {
            bound: boolean;
            /** Format: date-time */
            expires_at: string;
            me: components["schemas"]["MeOut"] | null;
            /**
             * @description Where the person wanted to be, for sign-ins that went away and came back
             * @default null
             */
            to: string | null;
            token: string;
        };
        /** StatusOut */
        StatusOut: {
            closed_today: number;
            open_tickets: number;
            /** Format: date-time */
            updated_at: string;
        };
        /** StepOut */
        StepOut: {
            action: string;
            action_text: string;
            /** Format: date-time */
            at: string;
            by: string | null;
            note: string | null;
        };
        /** TicketIn */
        TicketIn: {
            ticket: string;
        };
        /** TicketLineOut */
        TicketLineOut: {
            due_at: string | null;
            fault: components["schemas"]["FaultRef"];
            /** Format: date-time */
            filed_at: string;
            no: string;
            place: components["schemas"]["PlaceRef"];
            state: components["schemas"]["RepairState"];
            state_text: string;
            text: string;
            urgent: boolean;
            worker_name: string | null;
        };
        /** TicketLinesOut */
        TicketLinesOut: {
            items: components["schemas"]["TicketLineOut"][];
            next: string | null;
        };
        /** TicketOut */
        TicketOut: {
            /** @description What this person may do to it now */
            actions: ("cancel" | "accept" | "refuse" | "rate" | "take" | "arrive" | "finish" | "cannot")[];
            contact: components["schemas"]["ContactOut"] | null;
            due_at: string | null;
            entry: components["schemas"]["EntryOut"];
            etag: string;
            fault: components["schemas"]["FaultRef"];
            /** Format: date-time */
            filed_at: string;
            no: string;
            photos: components["schemas"]["TicketPhotoOut"][];
            place: components["schemas"]["PlaceRef"];
            quantity: number;
            rating: components["schemas"]["RatingOut"] | null;
            severity: string;
            state: components["schemas"]["RepairState"];
            state_text: string;
            steps: components["schemas"]["StepOut"][];
            text: string;
            urgent: boolean;
            way: string;
            why_me: string | null;
            window: components["schemas"]["WindowOut"] | null;
            worker_name: string | null;
        };
        /** TicketPhotoOut */
        TicketPhotoOut: {
            /** @enum {string} */
            kind: "filed" | "finished" | "rated";
            no: string;
            url: string;
        };
        /** UnreadOut */
        UnreadOut: {
            unread: number;
        };
        /** UrlOut */
        UrlOut: {
            url: string;
        };
        /**
         * WindowIn
         * @description When somebody may come.
         */
        WindowIn: {
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            until: string;
        };
        /** WindowOut */
        WindowOut: {
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            until: string;
        };
    };
    responses: {
        /** @description 请求有误 */
        Problem400: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:bad_request",
                 *       "title": "请求有误",
                 *       "status": 400,
                 *       "code": "bad_request",
                 *       "detail": "请求有误",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 请先登录 */
        Problem401: {
            headers: {
                "WWW-Authenticate"?: string;
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:sign_in_needed",
                 *       "title": "请先登录",
                 *       "status": 401,
                 *       "code": "sign_in_needed",
                 *       "detail": "请先登录",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 没有权限 */
        Problem403: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:forbidden",
                 *       "title": "没有权限",
                 *       "status": 403,
                 *       "code": "forbidden",
                 *       "detail": "没有权限",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 没有找到 */
        Problem404: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:not_found",
                 *       "title": "没有找到",
                 *       "status": 404,
                 *       "code": "not_found",
                 *       "detail": "没有找到",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 无法按要求的格式回答 */
        Problem406: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:not_acceptable",
                 *       "title": "无法按要求的格式回答",
                 *       "status": 406,
                 *       "code": "not_acceptable",
                 *       "detail": "无法按要求的格式回答",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 状态已变化，请刷新 */
        Problem409: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:conflict",
                 *       "title": "状态已变化，请刷新",
                 *       "status": 409,
                 *       "code": "conflict",
                 *       "detail": "状态已变化，请刷新",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 内容太大 */
        Problem413: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:too_large",
                 *       "title": "内容太大",
                 *       "status": 413,
                 *       "code": "too_large",
                 *       "detail": "内容太大",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 不支持的内容类型 */
        Problem415: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:unsupported_media_type",
                 *       "title": "不支持的内容类型",
                 *       "status": 415,
                 *       "code": "unsupported_media_type",
                 *       "detail": "不支持的内容类型",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 填写有误 */
        Problem422: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:invalid",
                 *       "title": "填写有误",
                 *       "status": 422,
                 *       "code": "invalid",
                 *       "detail": "填写有误",
                 *       "request_id": "RQ7K2M9X4CDQWERT",
                 *       "fields": {
                 *         "text": "必填"
                 *       }
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 操作太频繁，请稍后再试 */
        Problem429: {
            headers: {
                /** @description Seconds to wait */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:too_many",
                 *       "title": "操作太频繁，请稍后再试",
                 *       "status": 429,
                 *       "code": "too_many",
                 *       "detail": "操作太频繁，请稍后再试",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 系统出错了，我们已记录 */
        Problem500: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:internal",
                 *       "title": "系统出错了，我们已记录",
                 *       "status": 500,
                 *       "code": "internal",
                 *       "detail": "系统出错了，我们已记录",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 外部平台暂时没有回应，请稍后再试 */
        Problem502: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:platform_away",
                 *       "title": "外部平台暂时没有回应，请稍后再试",
                 *       "status": 502,
                 *       "code": "platform_away",
                 *       "detail": "外部平台暂时没有回应，请稍后再试",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description 系统繁忙，请稍后再试 */
        Problem503: {
            headers: {
                /** @description Seconds to wait */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                /**
                 * @example {
                 *       "type": "urn:houqin:problem:not_now",
                 *       "title": "系统繁忙，请稍后再试",
                 *       "status": 503,
                 *       "code": "not_now",
                 *       "detail": "系统繁忙，请稍后再试",
                 *       "request_id": "RQ7K2M9X4CDQWERT"
                 *     }
                 */
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    post_binding: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BindingIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MeOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    delete_binding: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                kind: "official" | "mini" | "wecom" | "alipay" | "sso";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_door: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                door_code: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoorOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_fault_types: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FaultOut"][];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_inbox: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessagesOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                notice_id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_read_all: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_unread: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnreadOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_login_code: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "campus_no": "G2001",
                 *       "name": "王建国",
                 *       "code": "7K2M9X"
                 *     }
                 */
                "application/json": components["schemas"]["OneTimeCodeIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
            400: components["responses"]["Problem400"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_login_mini: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "code": "0a1b2c3d"
                 *     }
                 */
                "application/json": components["schemas"]["CodeIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
            400: components["responses"]["Problem400"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    post_login_official: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "code": "061x",
                 *       "state": "K7Q2M9X4CD"
                 *     }
                 */
                "application/json": components["schemas"]["OauthIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
            400: components["responses"]["Problem400"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    get_login_official_url: {
        parameters: {
            query?: {
                /** @description Where to go afterwards: an address under /m/ */
                to?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UrlOut"];
                };
            };
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    post_login_sso: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "ticket": "k3J…"
                 *     }
                 */
                "application/json": components["schemas"]["TicketIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
            400: components["responses"]["Problem400"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    get_login_sso_return: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description On to the client's sign-in page, with a ticket or an error */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": unknown;
                };
            };
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    get_login_sso_url: {
        parameters: {
            query?: {
                /** @description Where to go afterwards: an address under /m/ */
                to?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UrlOut"];
                };
            };
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    post_login_wecom: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "code": "061x",
                 *       "state": "K7Q2M9X4CD"
                 *     }
                 */
                "application/json": components["schemas"]["OauthIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionOut"];
                };
            };
            400: components["responses"]["Problem400"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    get_login_wecom_url: {
        parameters: {
            query?: {
                /** @description Where to go afterwards: an address under /m/ */
                to?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UrlOut"];
                };
            };
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    post_logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MeOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_consent: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "kind": "privacy",
                 *       "version": "2026-09"
                 *     }
                 */
                "application/json": components["schemas"]["ConsentIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MeOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_me_data: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Everything stored about the person */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataOut"];
                };
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    put_phone: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PhoneIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MeOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
    post_photo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "image/jpeg": string;
                "image/png": string;
                "image/webp": string;
            };
        };
        responses: {
            /** @description Successful response */
            201: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PhotoOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_photo: {
        parameters: {
            query?: {
                /** @description thumb: at most 320 pixels a side */
                size?: "full" | "thumb";
            };
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/jpeg": string;
                };
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_places: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
                /** @description The places directly below this one; nothing: the campuses */
                parent?: string | null;
                /** @description Words of a code or a name, instead of a parent */
                q?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlacesOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_place: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                code: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlaceOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_privacy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PrivacyOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_photo_by_key: {
        parameters: {
            query: {
                key: string;
                until: number;
            };
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/jpeg": string;
                };
            };
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_public_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_repairs: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
                mine?: "filed" | "assigned";
                state?: "open" | "done" | "all";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketLinesOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_repair: {
        parameters: {
            query?: never;
            header: {
                /** @description Fresh for each report, the same when it is repeated */
                "Idempotency-Key": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "place": "D12-402",
                 *       "fault": "aircon",
                 *       "text": "空调不制冷",
                 *       "photos": [],
                 *       "severity": "normal"
                 *     }
                 */
                "application/json": components["schemas"]["RepairIn"];
            };
        };
        responses: {
            /** @description Successful response */
            201: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_repair: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    ETag?: string;
                    /** @description Seconds until asking again is worth it */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            /** @description Unchanged since the ETag in If-None-Match */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_accept: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NothingIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_arrive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "door": "D7K2M9X4CDQ"
                 *     }
                 */
                "application/json": components["schemas"]["ArriveIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "reason": "已经好了"
                 *     }
                 */
                "application/json": components["schemas"]["ReasonIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_cannot: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "note": "压缩机坏了",
                 *       "proposal": "换整机",
                 *       "photos": []
                 *     }
                 */
                "application/json": components["schemas"]["CannotIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_finish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "result": "fixed",
                 *       "note": "换了电容",
                 *       "photos": []
                 *     }
                 */
                "application/json": components["schemas"]["FinishIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_rate: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "quality": 5,
                 *       "attitude": 5,
                 *       "speed": 4,
                 *       "result": 5,
                 *       "text": "很快"
                 *     }
                 */
                "application/json": components["schemas"]["RatingIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_refuse: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "reason": "还是不制冷"
                 *     }
                 */
                "application/json": components["schemas"]["ReasonIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_take: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                no: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NothingIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_suggest: {
        parameters: {
            query: {
                fault: string;
                place: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketLinesOut"];
                };
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_subscriptions: {
        parameters: {
            query: {
                /** @description What the person is about to do: repair_file, repair_rate, repair_work */
                for: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskOut"];
                };
            };
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    post_subscriptions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "answers": {
                 *         "tmpl-1": "accept"
                 *       }
                 *     }
                 */
                "application/json": components["schemas"]["AnswersIn"];
            };
        };
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuotaOut"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            415: components["responses"]["Problem415"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            503: components["responses"]["Problem503"];
        };
    };
    get_js_config: {
        parameters: {
            query: {
                account?: "official" | "wecom";
                /** @description The page's full address; what follows # is left out */
                url: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JsConfigOut"];
                };
            };
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            406: components["responses"]["Problem406"];
            422: components["responses"]["Problem422"];
            429: components["responses"]["Problem429"];
            500: components["responses"]["Problem500"];
            502: components["responses"]["Problem502"];
            503: components["responses"]["Problem503"];
        };
    };
}
